"""attach on runs of every kind: live ones whose hosts are real processes, and those that are over."""

import json
import signal
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.emulator import Emulator
from support.hosting import Hosts, events, newest, until
from support.process import PATIENCE, trainconsole
from support.run_files import EPOCH, FAILED, INTERRUPTED, written

from trainconsole.engine.protocol.events import Warned
from trainconsole.engine.transport.client import Client

CTRL_C = "\x03"


def test_ctrl_c_asks_and_detaching_leaves_the_host_alone(hosts: Hosts, tmp_path: Path) -> None:
    process, run = hosts.training()
    with Emulator("attach", cwd=tmp_path) as console:
        console.until("● training")
        console.press(CTRL_C)
        console.until("leave it training")
        console.press("d")
        assert console.end() == 0
        assert f"detached: {run.name} goes on training" in console.text
    with Client.of(run) as client:
        until(lambda: newest(client), "status")
        step = client.latest.step if client.latest else 0
        until(lambda: (now := newest(client)) and now.step > step, "later step")
    assert process.poll() is None


def test_attach_shows_a_run_to_its_end_with_the_result(hosts: Hosts, tmp_path: Path) -> None:
    """Another console that is killed meanwhile is nobody's business."""
    process, run = hosts.training("--set", "schedule.name=constant")
    with Emulator("attach", run.name, cwd=tmp_path) as killed:
        killed.until("● training")
    with Emulator("attach", run.name, cwd=tmp_path) as console:
        console.until("● training")
        assert trainconsole("stop", run.name, cwd=tmp_path).code == 0
        console.until("Stopped early")
        console.press("q")
        assert console.end() == 0
    assert process.wait(PATIENCE) == 0
    digest = events(run)[-1]["weights_sha256"]
    assert f"sha256    {digest}" in console.text
    with Emulator("attach", run.name, cwd=tmp_path) as again:
        again.until("Stopped early")
        again.press("q")
        assert again.end() == 0
    assert f"sha256    {digest}" in again.text


def test_attach_says_how_an_interrupted_run_ended(hosts: Hosts, tmp_path: Path) -> None:
    process, run = hosts.training()
    with Emulator("attach", run.name, cwd=tmp_path) as console:
        console.until("● training")
        process.send_signal(signal.SIGTERM)
        console.until("Interrupted by SIGTERM at step")
        assert process.wait(PATIENCE) == 143
        console.press("q")
        assert console.end() == 0
        assert f"interrupted; 'trainconsole resume {run.name}' goes on with it" in console.text
    (row,) = json.loads(trainconsole("runs", "--json", cwd=tmp_path).out)
    assert row["status"] == "interrupted"


def test_a_run_that_failed_is_shown_with_why_and_exits_with_1(tmp_path: Path) -> None:
    run = written(tmp_path / "runs", FAILED, log="RuntimeError: the last word\n")
    with Emulator("attach", run.name, cwd=tmp_path) as console:
        console.until("RuntimeError: the last word")
        assert "the loss is not finite" in console.text
        console.press("q")
        assert console.end() == 1
        assert "trainconsole: the run failed: the loss is not finite" in console.text


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ([], "no run is training; 'trainconsole attach RUN' shows one that is over"),
        (["nope"], "no run 'nope' in runs"),
        (["last"], "events.jsonl: cannot be read: it is a directory, not a file"),
    ],
)
def test_attach_to_what_cannot_be_shown(tmp_path: Path, args: list[str], text: str) -> None:
    events = written(tmp_path / "runs") / "events.jsonl"
    events.unlink()
    events.mkdir()
    with Emulator("attach", *args, cwd=tmp_path, width=300) as console:
        assert console.end() == 2
        assert text in console.text
        assert console.text.startswith("trainconsole: ")
        assert b"\x1b[?1049h" not in console.sent


def test_a_line_that_cannot_be_read_stands_in_the_timeline(tmp_path: Path) -> None:
    run = written(tmp_path / "runs", EPOCH, INTERRUPTED)
    first, last = (run / "events.jsonl").read_bytes().splitlines(keepends=True)
    (run / "events.jsonl").write_bytes(first + b"\xff\x1b[31m\n" + last)
    with Emulator("attach", "last", cwd=tmp_path, width=160) as console:
        console.until("line 2 of events.jsonl")
        console.press("q")
        console.end()


def test_a_long_record_is_read_in_pieces_and_a_signal_is_heard_between(tmp_path: Path) -> None:
    run = written(tmp_path / "runs", EPOCH)
    (run / "events.jsonl").write_bytes((run / "events.jsonl").read_bytes() * 150_000)
    with Emulator("attach", "last", cwd=tmp_path, width=160) as console:
        console.until("in force")
        console.process.send_signal(signal.SIGTERM)
        assert console.end() == 143


def test_attach_without_a_terminal_names_what_works_without_one(hosts: Hosts, tmp_path: Path) -> None:
    process, run = hosts.training()
    ended = trainconsole("attach", run.name, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert "trainconsole runs" in ended.err
    assert "trainconsole ctl" in ended.err
    assert process.poll() is None


def test_strings_of_a_run_do_not_drive_the_terminal(tmp_path: Path) -> None:
    """On the screen of its end, in the timeline, and once the console is closed."""
    evil = "\x1b]0;owned\x07[bold]x[/]"
    warning = Warned(step=0, branch=0, why=evil)
    run = written(tmp_path / "runs", warning, replace(FAILED, reason=evil), log=f"{evil}\n")
    with Emulator("attach", run.name, cwd=tmp_path) as console:
        console.until("the end of host.log")
        assert "reason   \ufffd]0;owned\ufffd[bold]x[/]" in console.text
        console.press("escape")
        console.until(lambda text: "[bold]x[/]" in text and "host.log" not in text)
        console.press("q")
        assert console.end() == 1
        assert "failed: \ufffd]0;owned\ufffd[bold]x[/]" in console.text
    assert b"\x1b]0;owned" not in console.sent

"""ctl, stop and runs on hosts that are real processes."""

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from support.emulator import Emulator
from support.hosting import Hosts, events, until
from support.process import PATIENCE, Ended, trainconsole

from trainconsole.engine.record import lock, run_directory
from trainconsole.engine.transport import registry, unix_socket


def ran(cwd: Path, *args: str, preset: str = "iris") -> Path:
    """A run that is over."""
    ended = trainconsole("--preset", preset, "--no-ui", "--set", "epochs=2", "--threads", "1", *args, cwd=cwd)
    assert ended.code == 0, ended.err
    return run_directory.listing(cwd / "runs")[-1]


def one_line(ended: Ended) -> str:
    assert ended.out.count("\n") == 1, ended.out
    return ended.out.rstrip("\n")


def test_a_run_is_steered_and_stopped_from_outside(
    hosts: Hosts, tmp_path_factory: pytest.TempPathFactory
) -> None:
    process, run = hosts.training("--set", "schedule.name=constant")
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    def ctl(*what: str) -> Ended:
        return trainconsole("ctl", run.name, *what, cwd=elsewhere)

    ended = ctl("lr", "x0.5")
    assert ended.code == 0, ended.err
    applied = next(event for event in reversed(events(run)) if event["type"] == "command_applied")
    assert one_line(ended).startswith(f"applied at step {applied['step']:,}: lr x0.5  (lr 0.002 -> 0.001")
    assert applied["origin"] == "ctl"

    assert one_line(ctl("pause")).startswith("applied at step ")
    rejected = ctl("pause")
    assert rejected.code == 1
    assert "rejected at step " in one_line(rejected)
    assert "already paused" in rejected.out

    listed = json.loads(trainconsole("runs", "--json", cwd=elsewhere).out)
    assert [(row["name"], row["status"], row["pid"]) for row in listed] == [(run.name, "paused", process.pid)]

    assert "dropout 0 -> 0.25" in one_line(ctl("set dropout 0.25"))
    assert ctl("resume").code == 0

    for nonsense in ("lr fast", "fly", "set wings 2"):
        ended = ctl(nonsense)
        assert ended.code == 2
        assert ended.out == ""
        assert ended.err.startswith("trainconsole: ")
    assert not any(word in json.dumps(events(run)) for word in ("fast", "fly", "wings"))
    assert ctl("lr", "-1").code in (1, 2)

    ended = trainconsole("stop", "last", cwd=elsewhere)
    assert ended.code == 0, ended.err
    assert one_line(ended).startswith(f"{run.name}: stopped at step ")
    assert process.wait(PATIENCE) == 0
    assert events(run)[-1]["type"] == "finished"
    assert next(e for e in events(run) if e["type"] == "command_rejected")["id"].startswith("ctl-")
    assert registry.live() == []
    assert not lock.is_held(run)


def test_nobody_there(tmp_path: Path) -> None:
    run = ran(tmp_path)
    for args in (
        ("ctl", "last", "pause"),
        ("stop", run.name),
        ("ctl", "nope", "pause"),
        ("stop",),
    ):
        ended = trainconsole(*args, cwd=tmp_path)
        assert ended.code == 2, args
        assert ended.err.startswith("trainconsole: "), args
        assert "Traceback" not in ended.err
        assert ended.out == ""
    assert trainconsole("stop", "--all", cwd=tmp_path).code == 0


@pytest.mark.slow
def test_stop_all_ends_every_run_and_the_next_start_names_what_trains(hosts: Hosts, tmp_path: Path) -> None:
    first, run = hosts.training()
    second, other = hosts.training()
    entry = next(e for e in registry.live() if e.pid == first.pid)
    third = trainconsole("--preset", "iris", "--no-ui", "--json", "--set", "epochs=1", cwd=tmp_path)
    notice = third.err.splitlines()[0]
    since = f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(entry.since))}"
    assert notice.startswith("still training: ")
    assert f"{run.name} (pid {first.pid}, since {since})" in notice
    assert f"{other.name} (pid {second.pid}, since" in notice
    assert all(line.startswith("{") for line in third.out.splitlines())
    assert trainconsole("runs", cwd=tmp_path).err.splitlines()[0].startswith("still training: ")
    ended = trainconsole("stop", "--all", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert sorted(line.split(": ")[0] for line in ended.out.splitlines()) == sorted([run.name, other.name])
    assert (first.wait(PATIENCE), second.wait(PATIENCE)) == (0, 0)


def test_after_kill_9_the_list_is_swept_and_the_run_counts_as_killed(hosts: Hosts, tmp_path: Path) -> None:
    process, run = hosts.training()
    sock = unix_socket.socket_path(run, process.pid)
    assert lock.is_held(run)
    process.kill()
    process.wait()
    assert sock.exists()
    (row,) = json.loads(trainconsole("runs", "--json", cwd=tmp_path).out)
    assert (row["status"], row["pid"]) == ("killed", None)
    assert not sock.exists()
    assert list(registry.folder().iterdir()) == []
    assert not lock.is_held(run)
    assert trainconsole("ctl", "last", "pause", cwd=tmp_path).code == 2
    with Emulator("attach", run.name, cwd=tmp_path) as console:
        console.until("the host is gone")
        console.press("q")
        assert console.end() == 1
        assert f"'trainconsole resume {run.name}' goes on with it" in console.text


def test_the_socket_comes_back_while_a_run_trains(hosts: Hosts, tmp_path: Path) -> None:
    process, run = hosts.training()
    sock = unix_socket.socket_path(run, process.pid)
    sock.unlink()
    until(sock.is_socket, "new socket")
    assert trainconsole("ctl", "last", "set dropout 0.1", cwd=tmp_path).code == 0


@pytest.mark.slow
def test_a_second_writer_is_refused(hosts: Hosts, tmp_path: Path) -> None:
    process, run = hosts.training()
    before = (run / "lock").read_bytes()
    ended = trainconsole("resume", run.name, "--no-ui", cwd=tmp_path)
    assert ended.code == 2
    assert f"process {process.pid} on {socket.gethostname()}" in ended.err
    assert process.poll() is None
    assert (run / "lock").read_bytes() == before
    assert (run / "config.toml").exists()


@pytest.mark.slow
def test_runs_lists_each_with_its_status(tmp_path: Path) -> None:
    finished = ran(tmp_path)
    stopped = ran(tmp_path, "--at", "step 3: stop")
    broken = tmp_path / "runs" / "zz_broken"
    broken.mkdir()
    (broken / "config.toml").write_text("epochs = 'many'")
    (broken / "events.jsonl").write_bytes(b"\xff\n")
    never = tmp_path / "runs" / "zz_never"
    never.mkdir()
    (never / "config.toml").write_bytes((finished / "config.toml").read_bytes())
    ended = trainconsole("runs", "--json", cwd=tmp_path)
    assert ended.code == 0, ended.err
    rows: dict[str, Any] = {row["name"]: row for row in json.loads(ended.out)}
    assert {name: row["status"] for name, row in rows.items()} == {
        finished.name: "finished",
        stopped.name: "stopped",
        "zz_broken": "unreadable",
        "zz_never": "killed",
    }
    row = rows[finished.name]
    assert (row["epoch"], row["epochs"], row["where"]) == (2, 2, str(finished))
    assert row["best"] == events(finished)[-1]["best"]
    assert row["size"] > 10_000
    table = trainconsole("runs", cwd=tmp_path).out.splitlines()
    assert len(table) == 5
    assert table[0].split() == ["run", "status", "epoch", "best", "size", "where"]
    assert table[1].split()[:3] == [finished.name, "finished", "2/2"]

"""The whole console as a person has it: the real command on a terminal, a real host behind it."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from support.emulator import Emulator
from support.hosting import Hosts, newest, until
from support.keyboard_session import LONG, braille, session, trains
from support.process import command, only_run, trainconsole

from trainconsole.engine.protocol.events import Finished
from trainconsole.engine.record import run_directory
from trainconsole.engine.transport import admission, registry
from trainconsole.engine.transport.client import Client, NoRoom


@pytest.fixture
def left_over(tmp_path: Path, hosts: Hosts) -> Iterator[None]:
    """Hosts that the console has started end with the test."""
    yield
    hosts.pids += [entry.pid for entry in registry.live()]


@pytest.mark.slow
@pytest.mark.usefixtures("left_over")
def test_a_session_over_a_line_that_breaks_is_replayed_exactly(tmp_path: Path) -> None:
    session(partial(Emulator, cwd=tmp_path), Emulator.hang_up, tmp_path)


@pytest.mark.usefixtures("left_over")
def test_from_the_picker_to_the_result(tmp_path: Path) -> None:
    with Emulator(cwd=tmp_path) as console:
        console.until("digits")
        console.press(*"iris")
        console.until(lambda text: "iris" in text and "mnist-swap" not in text)
        console.press("enter")
        console.until("Completed")
        console.press("escape")
        console.until(lambda text: "Completed" not in text and braille(text) != "")
        console.press("q")
        assert console.end() == 0
        assert b"sha256" in console.sent[-3000:]
    with Emulator("attach", only_run(tmp_path).name, cwd=tmp_path, width=80, height=24) as console:
        console.until("Completed")
        console.press("q")
        assert console.end() == 0


@pytest.mark.usefixtures("left_over")
def test_detaching_leaves_it_training(tmp_path: Path) -> None:
    with Emulator(*LONG, cwd=tmp_path) as console:
        console.until(trains)
        console.press("d")
        assert console.end() == 0
        assert console.echoes
        assert "goes on training" in console.text
    (entry,) = registry.live()
    assert trainconsole("stop", entry.path.name, cwd=tmp_path).code == 0


@pytest.mark.usefixtures("left_over")
def test_one_that_was_suspended_and_lost_its_place_is_back_in_it(tmp_path: Path) -> None:
    with Emulator(*LONG, cwd=tmp_path) as console:
        console.until(trains)
        (entry,) = registry.live()
        console.process.send_signal(signal.SIGTSTP)
        with ExitStack() as stack:
            for _ in range(2 * admission.MOST):
                stack.enter_context(socket.socket(socket.AF_UNIX)).connect(entry.socket)
            until(lambda: reads(entry.socket), "room for another one")
        console.process.send_signal(signal.SIGCONT)
        console.press(" ")
        console.until("paused")
        assert "host is gone" not in console.text
        console.press("q")
        console.until("leave it training")
        console.press("s")
        assert console.end() == 0


@pytest.mark.usefixtures("left_over")
def test_one_that_lost_its_place_waits_for_room_and_keeps_what_was_pressed(tmp_path: Path) -> None:
    with Emulator(*LONG, cwd=tmp_path) as console:
        console.until(trains)
        (entry,) = registry.live()
        console.process.send_signal(signal.SIGTSTP)
        with ExitStack() as stack:
            others: list[Client] = []

            def crowd() -> bool:
                """As many as there is room for, all of which read: the one that is suspended has to go."""
                others.extend(
                    stack.enter_context(Client(Path(entry.socket))) for _ in range(admission.AT_ONCE)
                )
                return sum(map(_is_refused, others)) > 0

            until(crowd, "full host")
            console.process.send_signal(signal.SIGCONT)
            console.press(" ")
            deadline = time.monotonic() + 2.0
            while time.monotonic() < deadline:
                console.read(0.05)
                others = [other for other in others if not _is_refused(other)]
            assert "paused" not in console.text
        console.until("paused")
        console.press("q")
        console.until("leave it training")
        console.press("s")
        assert console.end() == 0


def _is_refused(client: Client) -> bool:
    try:
        client.receive(0)
    except NoRoom:
        return True
    return client.gone


def reads(path: str) -> bool:
    with Client(Path(path)) as client:
        return newest(client) is not None


@pytest.mark.usefixtures("left_over")
def test_quitting_can_stop_it(tmp_path: Path) -> None:
    with Emulator(*LONG, cwd=tmp_path) as console:
        console.until(trains)
        console.press("q")
        console.until("leave it training")
        console.press("s")
        assert console.end() == 0
    assert registry.live() == []
    assert isinstance(run_directory.read_events(only_run(tmp_path))[0][-1], Finished)


@pytest.mark.usefixtures("left_over")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_restores_the_terminal_and_leaves_the_host_alone(
    number: int, code: int, tmp_path: Path
) -> None:
    with Emulator(*LONG, cwd=tmp_path) as console:
        console.until(trains)
        assert not console.echoes
        console.process.send_signal(number)
        assert console.end() == code
        assert console.echoes
        assert console.sent.rstrip().endswith(b"\x1b[?1004l") or b"\x1b[?1049l" in console.sent[-400:]
    run = only_run(tmp_path)
    seen = run_directory.count_rows(run)
    until(lambda: run_directory.count_rows(run) > seen + 50, "later step")


@pytest.mark.usefixtures("left_over")
def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(tmp_path: Path) -> None:
    shell = ["bash", "--norc", "-i"]
    with Emulator(argv=shell, cwd=tmp_path, PS1="ready$ ") as console:
        console.until("ready$")
        console.press(" ".join(command(*LONG)) + "\r")
        console.until(trains)
        console.press("\x1a")
        console.until("Stopped")
        assert "1049l" in console.sent[-3000:].decode(errors="replace")
        console.press("fg\r")
        console.until(trains)
        console.press("d")
        console.until("goes on training")


@pytest.mark.usefixtures("left_over")
@pytest.mark.parametrize(
    ("number", "said"), [(signal.SIGKILL, "the host is gone"), (signal.SIGTERM, "Interrupted by SIGTERM")]
)
def test_a_host_that_is_gone_is_said_and_can_be_resumed(number: int, said: str, tmp_path: Path) -> None:
    with Emulator(*LONG, cwd=tmp_path) as console:
        console.until(trains)
        (entry,) = registry.live()
        os.kill(entry.pid, number)
        console.until(said)
        console.press("r")
        console.until(trains)
        (entry,) = registry.live()
        assert entry.path == only_run(tmp_path)
        console.quiet(1.0)
        assert said not in console.text
        console.press("e")
        console.until("keep the last")
        console.press("l")
        console.until("Stopped early")
        console.press("q")
        assert console.end() == 0


@pytest.mark.usefixtures("left_over")
def test_while_paused_no_byte_is_sent(tmp_path: Path) -> None:
    with Emulator(*LONG, cwd=tmp_path) as console:
        console.until(trains)
        console.press(" ")
        console.until("● paused")
        console.quiet(1.5)
        assert console.quiet(3.0) == 0
        console.press(" ")
        console.until(trains)


@pytest.mark.usefixtures("left_over")
def test_any_size_and_back(tmp_path: Path) -> None:
    with Emulator(*LONG, cwd=tmp_path) as console:
        console.until(trains)
        for size in ((20, 5), (200, 60), (80, 24), (120, 40)):
            console.resize(*size)
            console.quiet(0.4)
        console.until(trains)
        assert console.process.poll() is None


def test_a_start_that_fails_exits_with_2_and_says_why(tmp_path: Path) -> None:
    with Emulator("--preset", "digits", "--set", "loss.name=mse", cwd=tmp_path) as console:
        assert console.end() == 2
        assert "loss.name: mse is not for classification" in console.text
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize("args", [["--preset", "digits"], ["attach"], []], ids=str)
def test_a_dumb_terminal_is_told_what_to_do(args: list[str], tmp_path: Path) -> None:
    argv = ["env", "TERM=dumb", *command(*args)]
    with Emulator(argv=argv, cwd=tmp_path) as console:
        assert console.end() == 2
        assert "TERM=dumb" in console.text
        assert "--no-ui" in console.text or args == ["attach"]
    assert not (tmp_path / "runs").exists()


def test_without_a_terminal_it_names_no_ui(tmp_path: Path) -> None:
    ended = trainconsole("--preset", "digits", cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert "--no-ui" in ended.err
    assert not (tmp_path / "runs").exists()

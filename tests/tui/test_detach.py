"""A start on a terminal: the run trains in a process of its own, and the terminal may let go of it."""

from pathlib import Path

from hosting import Hosts, until
from process import only_run, trainconsole
from terminal import Terminal, plain

from trainconsole.engine import live, record
from trainconsole.engine.messages import Finished, Interrupted

SLOW = ["--preset", "digits", "--threads", "1", "--set", "epochs=2000"]


def test_ctrl_c_leaves_it_training_and_a_hang_up_too(tmp_path: Path, hosts: Hosts) -> None:
    with Terminal(*SLOW, cwd=tmp_path, width=100) as terminal:
        terminal.read_until(lambda sent: "epoch   2" in plain(sent))
        (entry,) = live.live()
        hosts.pids.append(entry.pid)
        assert entry.pid != terminal.process.pid
        terminal.press_ctrl_c()
        assert terminal.end() == 0
        assert f"goes on training (pid {entry.pid})" in plain(terminal.sent)
    run = only_run(tmp_path)
    with Terminal("attach", cwd=tmp_path, width=100) as terminal:
        seen = len(record.read_rows(run))
        terminal.read_until(lambda sent: "epoch " in plain(sent))
        terminal.hang_up()
        terminal.process.wait(timeout=60)
    until(lambda: len(record.read_rows(run)) > seen + 100, "later step")
    assert trainconsole("stop", run.name, cwd=tmp_path).code == 0
    assert isinstance(record.read_events(run)[0][-1], Finished)
    assert live.live() == []


def test_it_is_watched_to_its_end_and_resumed_on_a_terminal(tmp_path: Path, hosts: Hosts) -> None:
    with Terminal("--preset", "iris", "--set", "epochs=30", cwd=tmp_path, width=100) as terminal:
        assert terminal.end() == 0
        assert "completed at step 180" in plain(terminal.sent)
    run = only_run(tmp_path)
    with Terminal("resume", run.name, "--set", "epochs=40", cwd=tmp_path, width=100) as terminal:
        assert terminal.end() == 0
        assert "completed at step 240" in plain(terminal.sent)
    assert not any(isinstance(event, Interrupted) for event in record.read_events(run)[0])


def test_a_start_that_fails_exits_with_2_and_says_why(tmp_path: Path) -> None:
    with Terminal("--preset", "digits", "--set", "loss.name=mse", cwd=tmp_path, width=100) as terminal:
        assert terminal.end() == 2
        assert "loss.name: mse is not for classification" in plain(terminal.sent)
    assert list((tmp_path / "runs").iterdir()) == []


def test_without_a_terminal_it_names_no_ui(tmp_path: Path) -> None:
    ended = trainconsole("--preset", "digits", cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert "--no-ui" in ended.err
    assert not (tmp_path / "runs").exists()

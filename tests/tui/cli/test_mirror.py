"""The command `mirror`, as a process: its one line, Ctrl-C, what it refuses."""

import importlib.util
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.growing import Growing, told
from support.mirroring import points
from support.process import environment, trainconsole

pytest.importorskip("tensorboard", reason="the tensorboard extra is not installed")


def test_ctrl_c_ends_it_in_one_line_and_it_goes_on_where_it_was(tmp_path: Path) -> None:
    run = Growing(tmp_path / "runs")
    run.begin()
    run.train(10)
    command = ["mirror", run.path.name, "--to", "tensorboard:tb"]
    child = subprocess.Popen(
        [sys.executable, "-m", "trainconsole.tui", *command],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "tb").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    finally:
        child.kill()
    assert (child.returncode, out, len(err.splitlines())) == (130, "", 1)
    assert "goes on where this was" in err
    run.train(10)
    run.finish()
    ended = trainconsole(*command, "--to", "tensorboard:other", cwd=tmp_path)
    assert ended.out == (
        f"{run.path.name}: mirrored to tensorboard:tb, tensorboard:other: 20 steps, completed\n"
    )
    for folder in ("tb", "other"):
        assert [step for step, _ in points(tmp_path / folder, run.path)["loss"]] == list(range(1, 21))


def test_without_following_it_writes_what_is_there(tmp_path: Path) -> None:
    run = Growing(tmp_path / "runs")
    command = ["mirror", "last", "--to", "tensorboard:tb", "--no-follow"]
    ended = trainconsole(*command, cwd=tmp_path)
    assert (ended.code, len(ended.err.splitlines())) == (2, 1)
    assert "training has not begun" in ended.err
    run.begin()
    run.train(3)
    ended = trainconsole(*command, cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.endswith("3 steps, as far as it is\n")


def test_what_cannot_be_is_said_in_two_lines(tmp_path: Path) -> None:
    told(tmp_path / "runs")
    for to in ("nowhere", "tensorboard", "tensorboard:file/x"):
        (tmp_path / "file").touch()
        ended = trainconsole("mirror", "last", "--to", to, cwd=tmp_path)
        assert (ended.code, ended.out) == (2, "")
        assert 1 <= len(ended.err.splitlines()) <= 2
        assert "Traceback" not in ended.err


@pytest.mark.parametrize("name", ["wandb", "mlflow", "trackio"])
def test_a_library_that_is_missing_is_named(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(name) is not None:
        pytest.skip(f"{name} is installed")
    told(tmp_path / "runs")
    ended = trainconsole("mirror", "last", "--to", name, cwd=tmp_path)
    assert (ended.code, len(ended.err.splitlines())) == (2, 2)
    assert f"pip install 'trainconsole[{name}]'" in ended.err

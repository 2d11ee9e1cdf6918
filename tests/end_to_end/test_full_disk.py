"""A disk that is full in mid-run: training waits, nothing is corrupted, and it goes on when there is room."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.process import PATIENCE, command, environment, only_run, trainconsole

from trainconsole.engine.protocol.events import Finished, Warned
from trainconsole.engine.record import run_directory
from trainconsole.engine.transport.client import Client


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB at tmp_path/runs."""
    disk = tmp_path / "runs"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small tmpfs cannot be mounted here")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@contextmanager
def stuck(cwd: Path, disk: Path, *args: str) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """A run that has trained and now waits for `disk`, with all room taken by `disk`/filler."""
    with (cwd / "err").open("wb") as err:
        process = subprocess.Popen(
            command("--preset", "digits", "--no-ui", "--threads", "1", "--set", "epochs=4000", *args),
            cwd=cwd,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=err,
        )
    try:
        until(lambda: len(run_directory.read_rows(only_run(cwd))) > 50 if any(disk.iterdir()) else False)
        run = only_run(cwd)
        fill(disk / "filler")
        until(lambda: "cannot write" in (cwd / "err").read_text())
        # A checkpoint that was written meanwhile has made room by removing an older one.
        fill(disk / "more")
        yield process, run
    finally:
        process.kill()
        process.wait(timeout=60)


@pytest.mark.slow
def test_who_asks_a_run_that_waits_is_told_so_and_can_end_it(tmp_path: Path, small_disk: Path) -> None:
    with stuck(tmp_path, small_disk, "--set", "checkpoint.epoch_seconds=0.1") as (process, run):
        asked = trainconsole("ctl", run.name, "lr", "x0.5", cwd=tmp_path)
        assert (asked.code, asked.out) == (1, "")
        assert "'lr x0.5' is applied once there is room: training waits: cannot write to" in asked.err
        asked = trainconsole("stop", run.name, cwd=tmp_path)
        assert (asked.code, asked.out) == (1, "")
        assert f"stops once there is room: training waits: cannot write to {run}: No space left" in asked.err
        assert f"'kill {process.pid}' ends it now" in asked.err
        process.terminate()
        assert process.wait(timeout=PATIENCE) == 143
        said = (tmp_path / "err").read_text()
        assert f"warning: training waits: cannot write to {run}: No space left on device" in said
        assert f"trainconsole: SIGTERM: not saved in {run}: No space left on device\n" in said
        assert "Traceback" not in said + (run / "host.log").read_text()
    (small_disk / "filler").unlink()
    ended = trainconsole("resume", run.name, "--no-ui", "--set", "epochs=3", cwd=tmp_path)
    assert ended.code == 0, ended.err


def test_a_start_on_a_full_disk_fails_and_leaves_nothing(tmp_path: Path, small_disk: Path) -> None:
    fill(small_disk / "filler")
    ended = trainconsole("--preset", "iris", "--no-ui", cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert "No space left on device" in ended.err
    assert len(ended.err.splitlines()) <= 3
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


def test_resume_on_a_full_disk_says_what_to_do_and_changes_nothing(tmp_path: Path, small_disk: Path) -> None:
    assert trainconsole("--preset", "iris", "--set", "epochs=2", "--no-ui", cwd=tmp_path).code == 0
    run = only_run(tmp_path)
    before = (run / "events.jsonl").read_bytes()
    fill(small_disk / "filler")
    ended = trainconsole("resume", run.name, "--set", "epochs=4", "--no-ui", cwd=tmp_path)
    assert ended.code == 2
    assert "No space left on device" in ended.err
    assert f"Make room for {run}" in ended.err
    assert "Traceback" not in ended.err
    assert (run / "events.jsonl").read_bytes() == before
    (small_disk / "filler").unlink()
    ended = trainconsole("resume", run.name, "--set", "epochs=4", "--no-ui", cwd=tmp_path)
    assert ended.code == 0, ended.err


@pytest.mark.slow
def test_a_full_disk_pauses_the_run_until_there_is_room(tmp_path: Path, small_disk: Path) -> None:
    args = ["--preset", "digits", "--no-ui", "--json", "--threads", "1", "--set", "epochs=40"]
    process = subprocess.Popen(
        command(*args, "--set", "checkpoint.epoch_seconds=0.2"),
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        until(lambda: any(small_disk.iterdir()) and len(run_directory.read_rows(only_run(tmp_path))) > 50)
        run, filler = only_run(tmp_path), small_disk / "filler"
        fill(filler)
        with Client.of(run) as client:
            until(lambda: any("cannot write" in status.error for status in client.receive(0.2)))
        assert process.poll() is None
        before = run_directory.read_rows(run)
        assert list(before["step"]) == list(range(1, len(before) + 1))
        filler.unlink()
        assert process.wait(timeout=PATIENCE) == 0
    finally:
        process.kill()
        process.wait(timeout=60)
    events = run_directory.read_events(run)[0]
    assert any(isinstance(e, Warned) and e.kind == "disk" and "cannot write" in e.why for e in events)
    assert isinstance(events[-1], Finished)
    rows = run_directory.read_rows(run)
    assert list(rows["step"]) == list(range(1, 40 * 41 + 1))
    clean = trainconsole(*args, "--runs-dir", "elsewhere", cwd=tmp_path)
    assert json.loads(clean.out.splitlines()[-1])["weights_sha256"] == events[-1].weights_sha256


def fill(path: Path) -> None:
    """Take all the room there is."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.01)

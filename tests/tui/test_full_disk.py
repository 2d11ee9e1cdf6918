"""A disk that is full in mid-run: training waits, nothing is corrupted, and it goes on when there is room."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from process import PATIENCE, command, environment, only_run, trainconsole

from trainconsole.engine import record
from trainconsole.engine.client import Client
from trainconsole.engine.messages import Finished, Warned


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
        until(lambda: len(record.read_rows(only_run(tmp_path))) > 50 if any(small_disk.iterdir()) else False)
        run, filler = only_run(tmp_path), small_disk / "filler"
        fill(filler)
        with Client.of(run) as client:
            until(lambda: any("cannot write" in status.error for status in client.receive(0.2)))
        assert process.poll() is None
        before = record.read_rows(run)
        assert list(before["step"]) == list(range(1, len(before) + 1))
        filler.unlink()
        assert process.wait(timeout=PATIENCE) == 0
    finally:
        process.kill()
        process.wait(timeout=60)
    events = record.read_events(run)[0]
    assert any(isinstance(e, Warned) and e.kind == "disk" and "cannot write" in e.why for e in events)
    assert isinstance(events[-1], Finished)
    rows = record.read_rows(run)
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

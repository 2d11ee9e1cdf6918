"""One writer a run: real processes that hold, wait, are killed, and fork."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.record import lock
from trainconsole.engine.record.lock import RunLock

HOLD = """
import os, sys, time
from pathlib import Path
from trainconsole.engine.record.lock import RunLock
held = RunLock(Path(sys.argv[1]))
held.acquire()
child = os.fork() if "fork" in sys.argv else -1
if child:
    print(child, flush=True)
time.sleep(600)
"""


class Holding:
    """Processes that hold a lock; all killed in the end."""

    def __init__(self) -> None:
        self.pids: list[int] = []

    def start(self, run: Path, *words: str) -> tuple[subprocess.Popen[str], int]:
        """The holder, and the child that it has forked, or -1."""
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(run), *words], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        with process.stdout as out:
            child = int(out.readline())
        self.pids += [pid for pid in (process.pid, child) if pid > 0]
        return process, child


@pytest.fixture
def holding() -> Iterator[Holding]:
    started = Holding()
    yield started
    for pid in started.pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def test_a_second_holder_is_told_who_where_and_since_when(tmp_path: Path, holding: Holding) -> None:
    first, _ = holding.start(tmp_path)
    with pytest.raises(UserError) as refused:
        RunLock(tmp_path).acquire(wait=0.1)
    found = lock.holder(tmp_path)
    assert found is not None
    assert found.pid == first.pid
    for part in (f"process {first.pid} ", found.hostname, found.since, "stop"):
        assert part in str(refused.value)
    assert lock.is_held(tmp_path)


def test_the_lock_is_free_after_kill_9_though_a_forked_child_lives(tmp_path: Path, holding: Holding) -> None:
    process, child = holding.start(tmp_path, "fork")
    process.kill()
    process.wait()
    os.kill(child, 0)
    with RunLock(tmp_path) as held:
        assert held.held
    os.kill(child, 0)


def test_a_child_that_ends_leaves_its_parent_the_lock(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        assert lock.is_held(tmp_path)
    assert not lock.is_held(tmp_path)


def test_waiting_ends_when_the_first_leaves(tmp_path: Path, holding: Holding) -> None:
    process, _ = holding.start(tmp_path)
    waiting = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    holding.pids.append(waiting.pid)
    process.kill()
    process.wait()
    assert waiting.stdout is not None
    with waiting.stdout as out:
        assert int(out.readline()) == -1
    found = lock.holder(tmp_path)
    assert found is not None
    assert found.pid == waiting.pid


def test_the_file_says_who_holds_it(tmp_path: Path) -> None:
    with RunLock(tmp_path, "replaying"):
        said = msgspec.json.decode((tmp_path / "lock").read_bytes())
    assert said["pid"] == os.getpid()
    assert said["what"] == "replaying"
    assert said.keys() == {"pid", "hostname", "since", "what"}


def test_what_the_file_holds_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"\xff\x00[[[[" * 2000)
    assert lock.holder(tmp_path) is None
    with RunLock(tmp_path):
        assert (tmp_path / "lock").stat().st_size < 500


@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_a_lock_that_is_no_plain_file_is_refused(tmp_path: Path, kind: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    file = tmp_path / "lock"
    {
        "link": lambda: file.symlink_to(victim),
        "pipe": lambda: os.mkfifo(file),
        "directory": file.mkdir,
    }[kind]()
    assert not lock.is_held(tmp_path)
    with pytest.raises(UserError, match="lock"):
        RunLock(tmp_path).acquire(wait=0)
    assert victim.read_text() == "precious"


def test_looking_writes_nothing(tmp_path: Path) -> None:
    assert not lock.is_held(tmp_path)
    assert lock.holder(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_subprocess_does_not_keep_it(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        assert not lock.is_held(tmp_path)
        with RunLock(tmp_path) as again:
            assert again.held
    finally:
        sleeper.kill()
        sleeper.wait()

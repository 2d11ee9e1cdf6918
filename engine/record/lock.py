"""One writer a run: an flock on run/lock that no child inherits. No torch."""

import errno
import fcntl
import os
import socket
import time
from datetime import datetime
from pathlib import Path
from types import TracebackType

import msgspec
from msgspec import Struct

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import open_regular
from trainconsole.engine.common.fork_safety import keep_from_children

WAIT = 10.0
"""Seconds that a second writer waits for the first: a run that is about to end needs less."""
POLL = 0.05
LONGEST = 4096


class Holder(Struct, frozen=True, kw_only=True):
    """Contents of run/lock: who took it last. `since` is local time with its offset."""

    pid: int
    hostname: str
    since: str
    what: str


class RunLock:
    """The right to write to one run directory, released at exit however that comes.

    `with RunLock(run):` waits up to WAIT seconds; `acquire(wait)` and `release()` do it by hand.
    """

    def __init__(self, run: Path, what: str = "training") -> None:
        self._run = run
        self._what = what
        self._fd: int | None = None
        keep_from_children(self)

    @property
    def held(self) -> bool:
        return self._fd is not None

    def acquire(self, wait: float = WAIT) -> None:
        """Take the lock. Raises UserError saying who holds it, where and since when, or why it cannot be."""
        deadline = time.monotonic() + wait
        while self._fd is None:
            self._fd = _take(self._run)
            if self._fd is None and time.monotonic() >= deadline:
                raise UserError(f"{self._run} is in use: {described(self._run)}")
            if self._fd is None:
                time.sleep(POLL)
        holder = Holder(
            pid=os.getpid(),
            hostname=socket.gethostname(),
            since=datetime.now().astimezone().isoformat(timespec="seconds"),
            what=self._what,
        )
        _write(self._fd, msgspec.json.encode(holder) + b"\n", self._run)

    def release(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)

    def abandon(self) -> None:
        """In a forked child: close, which leaves the parent its lock."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)

    def __enter__(self) -> "RunLock":
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def is_held(run: Path) -> bool:
    """Whether a process, this one included, has the right to write to `run`. Writes nothing."""
    try:
        fd = open_regular(run / "lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False


def holder(run: Path) -> Holder | None:
    """Who took the lock last, which they may hold no longer; None where the file does not say."""
    try:
        fd = open_regular(run / "lock", os.O_RDONLY)
    except OSError:
        return None
    try:
        return msgspec.json.decode(os.read(fd, LONGEST), type=Holder)
    except (OSError, ValueError, RecursionError):
        return None
    finally:
        os.close(fd)


def described(run: Path) -> str:
    """Who holds the lock, in words."""
    found = holder(run)
    if found is None:
        return "another process has it open for writing"
    return (
        f"process {found.pid} on {found.hostname} has it since {found.since} ({found.what})\n"
        f"Wait for its end, or end it: trainconsole stop {run.name}"
    )


def _take(run: Path) -> int | None:
    """The locked file, None where another has it."""
    try:
        fd = open_regular(run / "lock", os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise UserError(f"{run / 'lock'}: cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except OSError as error:
        os.close(fd)
        raise UserError(
            f"{run / 'lock'}: cannot be locked: {error.strerror}\n"
            "This disk has no file locks (some network drives); choose another with --runs-dir DIR."
        ) from None
    return fd


def _write(fd: int, data: bytes, run: Path) -> None:
    """Say who holds it. A full disk is no reason not to: the lock itself needs no room."""
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, data, 0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(f"{run / 'lock'}: cannot be written: {error.strerror}") from None

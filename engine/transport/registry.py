"""The list of live hosts: a small file each in the user's state directory, swept of the dead. No torch."""

import contextlib
import hashlib
import os
import re
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from trainconsole.engine.common import user_dirs as state
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import read_bytes
from trainconsole.engine.record import lock, run_directory
from trainconsole.engine.transport import unix_socket

LONGEST = 64 * 1024


class Live(Struct, frozen=True, kw_only=True):
    """A host that trains: `run` and `socket` are paths, `began` its process's start time as the system has
    it (so that another process of the same number is not taken for it), `since` seconds since 1970."""

    run: str
    pid: int
    began: str
    hostname: str
    socket: str
    since: float

    @property
    def path(self) -> Path:
        return Path(self.run)


def folder() -> Path:
    """Where the list is kept; heeds XDG_STATE_HOME."""
    return state.folder() / "live"


def register(run: Path, sock: Path) -> Path:
    """List this process as the host of `run`; returns the file, which `unregister` takes. Raises OSError."""
    entry = Live(
        run=str(run),
        pid=os.getpid(),
        began=began(os.getpid()) or "",
        hostname=socket.gethostname(),
        socket=str(sock),
        since=time.time(),
    )
    where = folder()
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark = hashlib.sha256(os.fsencode(run)).hexdigest()[:8]
    file = where / f"{re.sub(r'[^A-Za-z0-9.-]', '_', entry.hostname)}-{entry.pid}-{mark}.json"
    _write_private(file, msgspec.json.encode(entry) + b"\n")
    return file


def unregister(file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink()


def live() -> list[Live]:
    """The hosts of this machine that are alive, the oldest first. Removes what dead ones have left."""
    alive = []
    for file in _files():
        entry = _read(file)
        if entry is None or entry.hostname != socket.gethostname():
            continue
        if is_alive(entry):
            alive.append(entry)
        else:
            _sweep(file, entry)
    return sorted(alive, key=lambda entry: entry.since)


def is_alive(entry: Live) -> bool:
    return entry.pid > 0 and bool(entry.began) and began(entry.pid) == entry.began


def of(run: Path) -> Live | None:
    """The live host of `run`. One that could not list itself is known by its lock and its socket."""
    for entry in reversed(live()):
        if entry.path == run:
            return entry
    found = lock.holder(run) if lock.is_held(run) else None
    if found is None or found.hostname != socket.gethostname():
        return None
    sock = unix_socket.socket_path(run, found.pid)
    start = began(found.pid)
    if start is None or unix_socket.identity(sock) is None:
        return None
    since = (run / "lock").stat().st_mtime
    return Live(
        run=str(run), pid=found.pid, began=start, hostname=found.hostname, socket=str(sock), since=since
    )


def resolve(runs: Path, name: str) -> Path:
    """RUN as a live host's directory (its name or a unique prefix, whatever `runs` is; `last` is the newest)
    or, where none fits, as `record.find` has it in `runs`. Raises UserError."""
    entries = live()
    if name == "last" and entries:
        return entries[-1].path
    named = [entry.path for entry in entries if entry.path.name == name]
    if len(named) == 1:
        return named[0]
    if run_directory.is_run(Path(name)) or run_directory.is_run(runs / name):
        return run_directory.find(runs, name)
    fitting = named or [entry.path for entry in entries if entry.path.name.startswith(name)]
    if len(fitting) > 1:
        raise UserError(f"'{name}' fits {len(fitting)} live runs: {_listed(fitting)}")
    return fitting[0] if fitting else run_directory.find(runs, name)


def began(pid: int) -> str | None:
    """When process `pid` began, in the system's words; None where there is none, or a zombie."""
    return _began_on_linux(pid) if sys.platform == "linux" else _began_elsewhere(pid)


def _began_on_linux(pid: int) -> str | None:
    """Field 22 of /proc/PID/stat: clock ticks since boot. The name, field 2, may hold blanks and brackets.

    psutil adds the time of the boot, which moves when the clock is set: a host would no longer be known.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if len(fields) < 20 or fields[0] in "ZX" else fields[19]


def _began_elsewhere(pid: int) -> str | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.3f}"
    except (psutil.Error, OSError, ValueError):
        return None


def _files() -> Sequence[Path]:
    try:
        return sorted(folder().glob("*.json"))
    except OSError:
        return []


def _read(file: Path) -> Live | None:
    """None for whatever is no entry of ours."""
    try:
        return _sound(msgspec.json.decode(read_bytes(file, LONGEST), type=Live))
    except (OSError, ValueError, RecursionError):
        return None


def _sound(entry: Live) -> Live | None:
    """None for what no host wrote: a path that is none, a process or a time that cannot be."""
    paths = all(Path(path).is_absolute() and "\0" not in path for path in (entry.run, entry.socket))
    return entry if paths and 0 < entry.pid < 2**31 and 0 <= entry.since < 2**33 else None


def _sweep(file: Path, entry: Live) -> None:
    """Remove the entry and the socket that a dead host has left; a socket elsewhere is not ours to remove."""
    sock = Path(entry.socket)
    with contextlib.suppress(OSError):
        if sock.parent == state.sockets() and unix_socket.identity(sock) is not None:
            sock.unlink()
        file.unlink()


def _write_private(file: Path, data: bytes) -> None:
    """Whole or not at all, mode 0600."""
    draft = file.with_suffix(f".{os.getpid()}")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)
    os.replace(draft, file)


def _listed(paths: Sequence[Path]) -> str:
    return ", ".join(str(path) for path in paths)

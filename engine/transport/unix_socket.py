"""Where hosts listen: a directory in /tmp that is its user's alone, and a socket in it for each. No torch."""

import contextlib
import os
import re
import socket
import stat
from pathlib import Path

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.user_dirs import SOCKETS, sockets

LONGEST_NAME = 48
"""Characters of the run's name in its socket's: a socket's path has room for about a hundred bytes."""
BACKLOG = 1024


def socket_path(run: Path, pid: int, base: Path = SOCKETS) -> Path:
    """Where the host of process `pid` listens for `run`."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", run.name)[:LONGEST_NAME]
    return sockets(base) / f"{name}-{pid}.sock"


def make_directory(path: Path) -> None:
    """Make `path` with mode 0700 where it is not there, and check it. Raises UserError."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise UserError(
            f"cannot make {path} for the socket: {error.strerror}\n"
            "Set TRAINCONSOLE_SOCKETS to a directory with a short name that can be written to."
        ) from None
    check_directory(path)


def check_directory(path: Path) -> None:
    """Nobody but this user can get at what lies in `path`: no link, owner, mode. Raises UserError.

    Anybody can make a directory in /tmp, so one that is there already is not trusted by its name.
    """
    try:
        found = os.lstat(path)
    except OSError as error:
        raise UserError(f"cannot use {path} for the socket: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode):
        raise UserError(f"{path} is not a directory, and the socket belongs in one; remove it")
    if found.st_uid != os.getuid():
        raise UserError(f"{path} belongs to user {found.st_uid}, so the socket is not safe in it; remove it")
    if stat.S_IMODE(found.st_mode) != 0o700:
        mode = stat.S_IMODE(found.st_mode)
        raise UserError(f"{path} has mode {mode:o}, so the socket is not safe in it; chmod 700 {path}")


def sweep(folder: Path) -> None:
    """Remove the sockets that killed hosts have left: those whose process is no more."""
    for path in folder.glob("*-*.sock"):
        pid = path.stem.rpartition("-")[2]
        if pid.isascii() and pid.isdecimal() and len(pid) < 10 and not _exists(int(pid)):
            path.unlink(missing_ok=True)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def listen(path: Path) -> socket.socket:
    """A listening socket at `path`, mode 0600, in place of whatever was there. Raises UserError."""
    make_directory(path.parent)
    with contextlib.ExitStack() as undone:
        try:
            listener = undone.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            path.unlink(missing_ok=True)
            listener.bind(str(path))
            os.chmod(path, 0o600)
            listener.listen(BACKLOG)
            listener.setblocking(False)
        except OSError as error:
            raise UserError(f"cannot listen at {path}: {error.strerror or error}") from None
        undone.pop_all()
    return listener


def identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of a socket; None where there is none."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISSOCK(found.st_mode) else None

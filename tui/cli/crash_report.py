"""The last net: what nobody foresaw ends in three lines and a file with the trace, not on the terminal."""

import contextlib
import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from trainconsole.engine.common import user_dirs
from trainconsole.engine.common.errors import missing
from trainconsole.tui.cli.exits import fail

KEPT = 20
"""Traces that stay; older ones go."""
ROOM = "Make room, or choose another disk: --runs-dir DIR for runs, XDG_STATE_HOME for what is kept of them."
RIGHTS = "It may not be written or read; --runs-dir DIR and XDG_STATE_HOME choose other places."
GONE = "It is not there; is the current directory still where it was?"
WAYS_OUT = {
    errno.ENOENT: GONE,
    errno.ENOTDIR: GONE,
    errno.ESTALE: GONE,
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.EFBIG: ROOM,
    errno.EROFS: RIGHTS,
    errno.EACCES: RIGHTS,
    errno.EPERM: RIGHTS,
    errno.EIO: "The disk or its network does not answer as it should; try again, or choose another.",
    errno.EMFILE: "This shell allows too few open files: ulimit -n 1024",
    errno.ENFILE: "The system has no more open files to give; end something, and try again.",
    errno.ENOMEM: "The system has no memory left; end something, and try again.",
}


@contextlib.contextmanager
def spread() -> Iterator[None]:
    """Whatever is raised meanwhile ends the process with a message and an exit code."""
    try:
        yield
        _flush(0)
    except SystemExit as left:
        _flush(left.code)
        raise
    except KeyboardInterrupt:
        sys.exit(130)
    except BaseException as error:
        _caught(error)


def _flush(code: object) -> None:
    """Now, while it can be said that the result did not get out: at the end Python itself would complain."""
    error = _lost()
    if error is not None and not code and error.errno != errno.EPIPE:
        fail(f"cannot write to stdout: {error.strerror}", code=1)


def _lost() -> OSError | None:
    """Why what was printed cannot be written; what is left of it goes nowhere from now on."""
    try:
        sys.stdout.flush()
    except OSError as error:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), 1)
        return error
    except ValueError:
        return None
    return None


def _caught(error: BaseException) -> None:
    if isinstance(error, OSError) and error.filename is None:
        _flush(0)
    if isinstance(error, BrokenPipeError):
        _lost()
        sys.exit(1)
    if isinstance(error, OSError) and error.errno in WAYS_OUT:
        where = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
        fail(f"{error.strerror}{where}\n{WAYS_OUT[error.errno]}", code=1)
    if told := missing(error):
        fail(told, code=2)
    lines = str(error).strip().splitlines() or [""]
    file = _kept(error)
    kept = f"What led to it stands in {file}" if file else "What led to it could not be written anywhere"
    fail(
        f"a fault of trainconsole itself: {type(error).__name__}: {lines[0][:300]}\n"
        f"{kept}; please send it along with a report.\n"
        "No run is touched by it: 'trainconsole runs' lists them, 'trainconsole resume' goes on with one.",
        code=1,
    )


def _kept(error: BaseException) -> Path | None:
    """The file that the trace was written to, for this user's eyes alone: what was given may be in it."""
    text = f"{' '.join(sys.argv)}\n{''.join(traceback.format_exception(error))}".encode(errors="replace")
    own = user_dirs.folder() / "failures"
    for folder in (own, Path(tempfile.gettempdir())):
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for old in sorted(own.glob("trainconsole-*.txt"))[: 1 - KEPT]:
                old.unlink()
            file = folder / f"trainconsole-{datetime.now():%Y-%m-%d_%H-%M-%S}-{os.getpid()}.txt"
            fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as out:
                out.write(text)
            return file
    return None

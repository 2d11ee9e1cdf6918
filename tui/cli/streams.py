"""What the command line says: each message goes out here, those of click too, and none drives a terminal.

A stream to a terminal, a file or a pipe may go away: training never ends because nobody listens.
"""

import contextlib
import errno
import io
import os
import shutil
import sys
from typing import IO, Any, NoReturn, cast

import click

from trainconsole.engine.common.escapes import harmless, message

PROGRAM = "trainconsole"
STANDARD = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def tell(text: str, *, lines: bool = False) -> None:
    """An answer, on stdout: one line, or `lines` of its own.

    Raises OSError, which names stdout, where it cannot be written.
    """
    try:
        sys.stdout.write(shown(text, lines=lines))
        sys.stdout.flush()
    except OSError as error:
        raise OSError(error.errno, error.strerror, "stdout") from None


def say(text: str, *, lines: bool = False) -> None:
    """Anything else, on stderr; where that is gone there is nobody to be told."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(shown(text, lines=lines))
        sys.stderr.flush()


def refusal(error: object) -> str:
    """An error's own lines below the first are set in: none of them can pass for a message of its own."""
    return f"{PROGRAM}: {error}".replace("\n", "\n  ")


def shown(text: str, *, lines: bool = False) -> str:
    """`text` harmless and ended; the line ends in it are its own where it has `lines`, else a name's."""
    return (message(text.removesuffix("\n")) if lines else harmless(text)) + "\n"


class _Saying(io.TextIOBase):
    """For click to write its messages to."""

    def write(self, text: str) -> int:
        say(text, lines=True)
        return len(text)


class Commands(click.Group):
    """A group whose usage errors, which repeat what was typed, are said as all else is."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        try:
            code = super().main(*args, **{"prog_name": PROGRAM, **extra, "standalone_mode": False})
        except click.ClickException as error:
            error.show(cast(IO[str], _Saying()))
            sys.exit(error.exit_code)
        except click.Abort:
            say("Aborted!")
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)


def occupy_standard() -> None:
    """The null device in place of each standard stream that is closed. Call before any file is opened: it
    would get the number of the stream, and what is printed would go into it."""
    for number, (name, mode) in enumerate(STANDARD):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        # A locale that is not UTF-8 lacks signs: they are told in ASCII, which is no reason to end.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class Stream(io.TextIOBase):
    """Text to a file descriptor; after the first failed write it swallows the rest. `lost` then says why,
    where it is not that nobody reads on: a full disk."""

    def __init__(self, fd: int) -> None:
        self._file: io.TextIOWrapper | None = os.fdopen(
            fd, "w", encoding=sys.stdout.encoding, errors="replace"
        )
        self.is_terminal = os.isatty(fd)
        self.lost = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return sys.stdout.encoding

    def isatty(self) -> bool:
        return self.is_terminal

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        try:
            if self._file is not None:
                self._file.write(text)
        except (OSError, ValueError) as error:
            self._give_up(error)
        return len(text)

    def say(self, text: str, *, lines: bool = False) -> None:
        """A message: harmless, on one line unless it has `lines` of its own."""
        self.write(shown(text, lines=lines))

    def flush(self) -> None:
        try:
            if self._file is not None:
                self._file.flush()
        except (OSError, ValueError) as error:
            self._give_up(error)

    def fileno(self) -> int:
        if self._file is None:
            raise io.UnsupportedOperation("the stream is gone")
        return self._file.fileno()

    def _give_up(self, error: OSError | ValueError) -> None:
        """Drop the file without closing it: closing would try to write what is left."""
        if isinstance(error, OSError) and error.errno != errno.EPIPE:
            self.lost = error.strerror or str(error)
        if self._file is not None:
            os.set_inheritable(self._file.fileno(), False)
            self._file = None

    @property
    def width(self) -> int:
        """Columns of the terminal, 100 where it is none."""
        if not self.is_terminal or self._file is None:
            return 100
        try:
            return os.get_terminal_size(self._file.fileno()).columns
        except OSError:
            return shutil.get_terminal_size((100, 24)).columns

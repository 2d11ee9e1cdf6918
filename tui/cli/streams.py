"""A stream to a terminal, a file or a pipe that may go away: training never ends because nobody listens."""

import errno
import io
import os
import shutil
import sys

from trainconsole.tui.cli.echo import shown

STANDARD = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


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

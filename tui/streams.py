"""A stream to a terminal, a file or a pipe that may go away: training never ends because nobody listens."""

import io
import os
import shutil
import sys

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
            setattr(sys, name, os.fdopen(number, mode))


class Stream(io.TextIOBase):
    """Text to a file descriptor; after the first failed write it swallows the rest."""

    def __init__(self, fd: int) -> None:
        self._file: io.TextIOWrapper | None = os.fdopen(
            fd, "w", encoding=sys.stdout.encoding, errors="replace"
        )
        self.is_terminal = os.isatty(fd)

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
        except (OSError, ValueError):
            self._give_up()
        return len(text)

    def flush(self) -> None:
        try:
            if self._file is not None:
                self._file.flush()
        except (OSError, ValueError):
            self._give_up()

    def fileno(self) -> int:
        if self._file is None:
            raise io.UnsupportedOperation("the stream is gone")
        return self._file.fileno()

    def _give_up(self) -> None:
        """Drop the file without closing it: closing would try to write what is left."""
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

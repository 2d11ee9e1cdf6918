"""Reading files of packed records, a bounded number at a time: what is no record is passed over. No torch."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import open_regular
from trainconsole.engine.record.metric_rows import ROW, Rows

NAME = "metrics.bin"
CHUNK = 1 << 16
"""Rows that are read at a time, 2.6 MB."""
LAST_STEP = 2**62


class RecordFile:
    """Reads the records of one dtype in `file` in order, from number `start` on, as they are written.

    `unread` counts what was passed over, `exhausted` says whether there was no more at the last look. Plain
    reads, so that a file cut meanwhile is no signal.
    """

    def __init__(self, file: Path, dtype: npt.DTypeLike, start: int = 0) -> None:
        self.unread = 0
        self.exhausted = False
        self._file = file
        self._dtype = np.dtype(dtype)
        self._next = start

    def read(self, most: int = CHUNK) -> Rows:
        """The next records that are there in full, of at most `most`.

        Raises UserError where the file is none, or cannot be read.
        """
        try:
            fd = self.open()
        except FileNotFoundError:
            self.exhausted = True
            return np.zeros(0, self._dtype)
        except OSError as error:
            raise self._unreadable(error) from None
        try:
            return self.take(fd, most)
        except OSError as error:
            raise self._unreadable(error) from None
        finally:
            os.close(fd)

    def open(self) -> int:
        """A descriptor of the file. Raises OSError."""
        return open_regular(self._file)

    @property
    def offset(self) -> int:
        """Bytes of it that were read."""
        return self._next * self._dtype.itemsize

    def all(self, stop: int | None = None) -> Iterator[Rows]:
        """All records up to number `stop`, a part at a time."""
        self.exhausted = False
        while not self.exhausted and (stop is None or self._next < stop):
            rows = self.read(CHUNK if stop is None else min(CHUNK, stop - self._next))
            if len(rows):
                yield rows

    def sound(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """(n,) which of the records that come next are some: what a power cut took, or nobody wrote (as in a
        sparse file of a terabyte), is zeros."""
        return np.asarray((rows["step"] > 0) & (rows["step"] <= LAST_STEP), bool)

    def take(self, fd: int, most: int) -> Rows:
        """As `read`, of the file open as `fd`. Raises OSError."""
        self._leap(fd)
        size = self._dtype.itemsize
        data = os.pread(fd, most * size, self._next * size)
        rows = np.frombuffer(data, dtype=self._dtype, count=len(data) // size)
        sound = self.sound(rows)
        self._next += len(rows)
        self.exhausted = len(rows) < most
        if sound.all():
            return rows
        self.unread += len(rows) - int(np.count_nonzero(sound))
        return rows[sound]

    def _leap(self, fd: int) -> None:
        """Over a hole in the file, where the system can tell of it."""
        at, size = self.offset, os.fstat(fd).st_size
        if not hasattr(os, "SEEK_DATA") or at >= size:
            return
        try:
            data = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                return
            data = size
        hole = data // self._dtype.itemsize - self._next
        self._next, self.unread = self._next + hole, self.unread + hole

    def _unreadable(self, error: OSError) -> UserError:
        return UserError(f"{self._file}: cannot be read: {error.strerror}")


class MetricFile(RecordFile):
    """Reads the rows of `run`: a row has a step from 1 on."""

    def __init__(self, run: Path, start: int = 0) -> None:
        super().__init__(run / NAME, ROW, start)


def read_rows(run: Path, start: int = 0, most: int | None = None) -> Rows:
    """Rows from number `start` on, `most` at most, that are there in full."""
    file = MetricFile(run, start)
    parts = [*file.all(None if most is None else start + most)]
    return np.concatenate(parts) if parts else np.zeros(0, ROW)


def count_rows(run: Path) -> int:
    """The number of whole rows, whatever is in them. Raises UserError where the file is none."""
    try:
        fd = open_regular(run / NAME)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise UserError(f"{run / NAME}: cannot be read: {error.strerror}") from None
    try:
        return os.fstat(fd).st_size // ROW.itemsize
    finally:
        os.close(fd)

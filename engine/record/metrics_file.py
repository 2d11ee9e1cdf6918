"""Reading metrics.bin, a bounded number of rows at a time: what is no row is passed over. No torch."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import open_regular
from trainconsole.engine.record.metric_rows import ROW, Rows

NAME = "metrics.bin"
CHUNK = 1 << 16
"""Rows that are read at a time, 2.6 MB."""
LAST_STEP = 2**62


class MetricFile:
    """Reads the rows of `run` in order, from number `start` on, as they are written.

    A row has a step from 1 on; a file that lost its contents to a power cut, or was never filled (as a sparse
    one of a terabyte), has zeros there. `unread` counts what was passed over. Plain reads, so that a file cut
    meanwhile is no signal.
    """

    def __init__(self, run: Path, start: int = 0) -> None:
        self.unread = 0
        self.exhausted = False
        self._file = run / NAME
        self._next = start

    def read(self, most: int = CHUNK) -> Rows:
        """The next rows that are there in full, of at most `most`; `exhausted` says whether there is more.

        Raises UserError where the file is none, or cannot be read.
        """
        try:
            fd = open_regular(self._file)
        except FileNotFoundError:
            self.exhausted = True
            return np.zeros(0, ROW)
        except OSError as error:
            raise self._unreadable(error) from None
        try:
            return self._sound(fd, most)
        except OSError as error:
            raise self._unreadable(error) from None
        finally:
            os.close(fd)

    def all(self, stop: int | None = None) -> Iterator[Rows]:
        """All rows up to number `stop`, a part at a time."""
        self.exhausted = False
        while not self.exhausted and (stop is None or self._next < stop):
            rows = self.read(CHUNK if stop is None else min(CHUNK, stop - self._next))
            if len(rows):
                yield rows

    def _sound(self, fd: int, most: int) -> Rows:
        self._leap(fd)
        data = os.pread(fd, most * ROW.itemsize, self._next * ROW.itemsize)
        rows = np.frombuffer(data, dtype=ROW, count=len(data) // ROW.itemsize)
        sound = (rows["step"] > 0) & (rows["step"] <= LAST_STEP)
        self._next += len(rows)
        self.exhausted = len(rows) < most
        if sound.all():
            return rows
        self.unread += len(rows) - int(np.count_nonzero(sound))
        return rows[sound]

    def _leap(self, fd: int) -> None:
        """Over a hole in the file, where the system can tell of it."""
        at, size = self._next * ROW.itemsize, os.fstat(fd).st_size
        if not hasattr(os, "SEEK_DATA") or at >= size:
            return
        try:
            data = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                return
            data = size
        hole = data // ROW.itemsize - self._next
        self._next, self.unread = self._next + hole, self.unread + hole

    def _unreadable(self, error: OSError) -> UserError:
        return UserError(f"{self._file}: cannot be read: {error.strerror}")


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

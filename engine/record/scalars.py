"""Own numbers: what a loop logs under names of its own, a file of packed records a name. No torch.

A record at step n was logged after n updates; numpy reads a file of them by `np.fromfile(file, SCALAR)`.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import append_whole, kind_of
from trainconsole.engine.record import meta
from trainconsole.engine.record.metric_rows import Rows
from trainconsole.engine.record.metrics_file import CHUNK, LAST_STEP, RecordFile
from trainconsole.engine.record.open_directory import Directory
from trainconsole.engine.record.scalar_names import FOLDER, MOST, check, file_of, files

SCALAR = np.dtype([("step", "<u8"), ("branch", "<u4"), ("value", "<f4")])
"""16 bytes. Any value may be NaN or infinite."""

Numbers = Sequence[float] | npt.NDArray[np.generic] | float
Found = Sequence[tuple[str, Rows]]
"""Records (n,) of dtype SCALAR by name."""


def described() -> list[list[str]]:
    """The dtype as [[name, code], ...] for meta.json."""
    return [[name, SCALAR[name].str] for name in SCALAR.names or ()]


class ScalarWriter:
    """Appends to the own numbers of one run. The caller sees to it that there is one writer only.

    A file is open no longer than it is written to: there may be 256, and a process may have as few.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self._files = files(run)
        self._unsynced: set[str] = set()

    def add(self, names: Iterable[str]) -> None:
        """Make names known in meta.json, which is replaced once for all that are new.

        Raises UserError for one that cannot be recorded and for more than 256 in all, OSError where the
        disk is full.
        """
        new: dict[str, str] = {}
        for name in names:
            check(name)
            if name not in self._files and name not in new:
                new[name] = file_of(name, [*self._files.values(), *new.values()])
        if len(self._files) + len(new) > MOST:
            raise UserError(
                f"more than {MOST} names of own numbers in one run: {next(iter(new))!a} is too many"
            )
        if new:
            meta.add_scalars(self.run, described(), new)
            self._files.update(new)

    def write(self, name: str, step: Numbers, branch: Numbers, value: Numbers) -> None:
        """Append records, all or none; each of (n,) values, or one number for all of them.

        Raises UserError as `add` does, OSError where the disk is full or what is there is no file.
        """
        if name not in self._files:
            self.add([name])
        records = np.zeros(
            np.broadcast_shapes(*(np.shape(part) or (1,) for part in (step, branch, value))), SCALAR
        )
        records["step"], records["branch"] = step, branch
        with np.errstate(over="ignore"):
            records["value"] = value
        if len(records):
            self._append(self._files[name], records.tobytes())
            self._unsynced.add(name)

    def sync(self) -> None:
        """What was written is on disk. Raises OSError."""
        if not self._unsynced:
            return
        with Directory(self.run / FOLDER) as folder:
            for name in sorted(self._unsynced):
                fd = folder.open(self._files[name], os.O_WRONLY)
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)
                self._unsynced.discard(name)

    def close(self) -> None:
        """Raises OSError."""
        self.sync()

    def _append(self, file: str, data: bytes) -> None:
        """After the last whole record: a torn one is cut off."""
        with Directory(self.run / FOLDER, make=True) as folder:
            fd = folder.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            try:
                if torn := os.fstat(fd).st_size % SCALAR.itemsize:
                    os.ftruncate(fd, os.fstat(fd).st_size - torn)
                append_whole(fd, data)
            finally:
                os.close(fd)


class ScalarFile(RecordFile):
    """Reads the records of one name. Step 0 may have one: zeros are none but at the start."""

    def __init__(self, run: Path, file: str) -> None:
        super().__init__(run / FOLDER / file, SCALAR)

    def open(self) -> int:
        with Directory(self._file.parent) as folder:
            return folder.open(self._file.name)

    def sound(self, rows: Rows) -> npt.NDArray[np.bool_]:
        zeros = (rows["step"] == 0) & (rows["branch"] == 0) & (rows["value"] == 0)
        if self._next == 0:
            zeros[:1] = False
        return np.asarray((rows["step"] <= LAST_STEP) & ~zeros, bool)


class ScalarReader:
    """Reads the own numbers of a run as they are written, names as they appear; never fails.

    `exhausted` says whether all was read that was there, `refused` why a name, or all ("*"), cannot be read.
    A run without own numbers costs one look at its directory.
    """

    def __init__(self, run: Path) -> None:
        self.exhausted = True
        self.refused: dict[str, str] = {}
        self._run = run
        self._files: dict[str, ScalarFile] = {}
        self._names: dict[str, str] = {}
        self._seen: tuple[int, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of their appearance."""
        return tuple(self._files)

    def read(self, most: int = CHUNK) -> Found:
        """The next records of each name that has some, `most` at most in all."""
        self.exhausted = True
        if not kind_of(self._run / FOLDER):
            return []
        self._look()
        try:
            with Directory(self._run / FOLDER) as folder:
                return [*self._read(folder, most)]
        except OSError as error:
            self.refused["*"] = error.strerror or str(error)
        return []

    def _look(self) -> None:
        """For new names, where meta.json is another."""
        try:
            found = os.stat(self._run / meta.NAME)
        except OSError:
            return
        seen = found.st_mtime_ns, found.st_size, found.st_ino
        if seen != self._seen:
            self._seen = seen
            for name, file in files(self._run).items():
                if name not in self._files and len(self._files) < MOST:
                    self._files[name], self._names[name] = ScalarFile(self._run, file), file

    def _read(self, folder: Directory, most: int) -> Iterator[tuple[str, Rows]]:
        for name, file in self._files.items():
            if most <= 0:
                self.exhausted = False
                return
            begin = file.offset
            try:
                if folder.stat(self._names[name]).st_size < begin + SCALAR.itemsize:
                    continue
                records = self._taken(folder, name, most)
            except FileNotFoundError:
                continue
            except OSError as error:
                self.refused[name] = error.strerror or str(error)
                continue
            most -= (file.offset - begin) // SCALAR.itemsize
            self.exhausted &= file.exhausted
            if len(records):
                yield name, records

    def _taken(self, folder: Directory, name: str, most: int) -> Rows:
        fd = folder.open(self._names[name])
        try:
            return self._files[name].take(fd, most)
        finally:
            os.close(fd)

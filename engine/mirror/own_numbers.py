"""Reading scalars/NAME.bin, a user's own numbers that meta.json names, within bounds. No torch."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from trainconsole.engine.common.files import MIB, kind_of, open_regular
from trainconsole.engine.record.meta import NAME as META
from trainconsole.engine.record.meta import told_scalars
from trainconsole.engine.record.metric_rows import Rows
from trainconsole.engine.record.scalar_names import FOLDER
from trainconsole.engine.record.scalars import SCALAR

MOST = MIB // SCALAR.itemsize


class OwnFiles:
    """Reads each number of `run` from its first record on, as they are written."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._files: dict[str, Path] = {}
        self._next: dict[str, int] = {}
        self._seen: Any = None

    def read(self, known: int) -> Iterator[tuple[str, int, Rows]]:
        """(name, records before, records of one branch): all that is new, up to the first record of a branch
        beyond `known`."""
        self._look()
        for name, file in self._files.items():
            while len(records := _records(file, self._next.get(name, 0))):
                strange = np.flatnonzero(records["branch"] > known)
                ready = records[: strange[0]] if len(strange) else records
                for part in by_branch(ready):
                    first = self._next.get(name, 0)
                    self._next[name] = first + len(part)
                    yield name, first, part
                if len(strange):
                    break

    def all(self) -> Iterator[tuple[str, Rows]]:
        """(name, records of one branch), from the first of each that was read on."""
        for name, file in self._files.items():
            at, end = 0, self._next.get(name, 0)
            while at < end and len(records := _records(file, at)[: end - at]):
                at += len(records)
                yield from ((name, part) for part in by_branch(records))

    def _look(self) -> None:
        """Read meta.json where it is not the one that was read."""
        try:
            now = os.stat(self._run / META, follow_symlinks=False)
            if self._seen == (now.st_ino, now.st_mtime_ns):
                return
        except OSError:
            return
        self._seen = now.st_ino, now.st_mtime_ns
        told = told_scalars(self._run)
        for name, file in told.items() if isinstance(told, dict) else ():
            # Of a name that a run of ours could not have, too: it is escaped where it goes.
            if isinstance(file, str) and "\0" not in file and Path(file).name == file:
                self._files.setdefault(name, self._run / FOLDER / file)


def by_branch(rows: Rows) -> list[Rows]:
    """`rows` cut where their branch changes."""
    cuts = np.flatnonzero(np.diff(rows["branch"].astype(np.int64))) + 1
    return np.split(rows, cuts) if len(rows) else []


def _records(file: Path, start: int) -> Rows:
    """At most MOST whole records from number `start` on; none where the file cannot be read."""
    if kind_of(file.parent) != "a directory":
        return np.zeros(0, SCALAR)
    try:
        fd = open_regular(file)
    except OSError:
        return np.zeros(0, SCALAR)
    try:
        data = os.pread(fd, MOST * SCALAR.itemsize, start * SCALAR.itemsize)
    except OSError:
        data = b""
    finally:
        os.close(fd)
    return np.frombuffer(data, SCALAR, len(data) // SCALAR.itemsize)

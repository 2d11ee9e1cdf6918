"""The run directory: making it and writing it; who reads it finds all of it here. No torch.

Rows up to an event's step are on disk before the event's line. Nothing is ever overwritten but meta.json,
which is replaced whole.
"""

import os
import re
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.escapes import as_json
from trainconsole.engine.common.files import append_whole, kind_of, open_regular, replace_file
from trainconsole.engine.config.parsing import encode
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.protocol.events import AnyEvent, CommandApplied, Event
from trainconsole.engine.record.journal import Journal, read_events
from trainconsole.engine.record.meta import FORMAT, add_session, read_meta, write_meta
from trainconsole.engine.record.metric_rows import ROW, Rows
from trainconsole.engine.record.metrics_file import count_rows, read_rows
from trainconsole.engine.record.runs_dir import find, is_run, listing, read_config
from trainconsole.engine.record.scalars import ScalarWriter

__all__ = [
    "FORMAT",
    "Recorder",
    "add_session",
    "count_rows",
    "create",
    "find",
    "is_run",
    "listing",
    "read_config",
    "read_events",
    "read_meta",
    "read_rows",
    "repair",
    "write_config",
    "write_meta",
]


LONGEST = 100
"""Characters of --name, and of what it is added to."""
LARGEST = 200
"""Bytes of both; with date and time it is less than the 255 that a file system takes."""


def create(runs: Path, preset: str, name: str = "") -> Path:
    """A new directory runs/<date>_<time>_<preset>[-name], made by an exclusive mkdir.

    Raises UserError where it cannot be made.
    """
    if len(name) > LONGEST:
        raise UserError(f"--name: {len(name)} characters, at most {LONGEST}")
    label = _label(preset)[: LONGEST - len(name)]
    label = _label(f"{label}-{name}" if name else label) or "run"
    try:
        runs.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, 1000):
            stem = f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{label}"
            path = runs / (stem if attempt == 1 else f"{stem}_{attempt}")
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return path.resolve()
    except OSError as error:
        raise UserError(
            f"cannot make a run directory in {runs}: {error.strerror}; choose another with --runs-dir DIR"
        ) from None
    raise UserError(f"cannot make a run directory in {runs}: a thousand of this second exist")


def _label(text: str) -> str:
    """`text` as part of a name, in fewer bytes than a name may have."""
    text = re.sub(r"[^\w.-]+", "-", text).strip("-.")
    return text.encode()[:LARGEST].decode(errors="ignore")


class Recorder:
    """Appends to one run directory. The caller sees to it that there is one writer only."""

    def __init__(self, path: Path, *, next_seq: int = 0, rows: int = 0) -> None:
        self.path = path
        self.next_seq = next_seq
        self.rows = rows
        self.scalars = ScalarWriter(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._rows = open_regular(path / "metrics.bin", flags)
        self._events = open_regular(path / "events.jsonl", flags)

    def write_rows(self, rows: Rows) -> None:
        """Append `rows` (dtype ROW). Raises OSError where the disk is full or read-only."""
        if len(rows):
            append_whole(self._rows, rows.tobytes())
            self.rows += len(rows)

    def append(self, events: Sequence[Event]) -> list[Event]:
        """Stamp `events` with seq and time, append their lines, all or none; returns them as written."""
        now = time.time()
        stamped = [
            msgspec.structs.replace(event, seq=self.next_seq + index, time=now)
            for index, event in enumerate(events)
        ]
        append_whole(self._events, b"".join(as_json(event) + b"\n" for event in stamped))
        self.next_seq += len(stamped)
        return stamped

    def write_event(self, event: Event) -> Event:
        """Append one. A command that changes training is on disk when this returns (fsync, rows too)."""
        (written,) = self.append([event])
        if isinstance(written, CommandApplied):
            self.sync()
        return written

    def sync(self) -> None:
        self.scalars.sync()
        os.fsync(self._rows)
        os.fsync(self._events)

    def close(self) -> None:
        self.sync()
        os.close(self._rows)
        os.close(self._events)


def write_config(path: Path, config: RunConfig) -> None:
    replace_file(path / "config.toml", encode(config).encode())


def repair(path: Path) -> tuple[list[AnyEvent], int]:
    """Cut a torn last record off each file, the only thing that is ever cut; returns the events and the `seq`
    of the next.

    For the one writer of the run, before it appends. Raises UserError where a file is none.
    """
    journal = Journal(path)
    events = journal.read()
    for name, size in (("metrics.bin", count_rows(path) * ROW.itemsize), ("events.jsonl", journal.offset)):
        if kind_of(path / name) and os.lstat(path / name).st_size > size:
            _cut(path / name, size)
    return events, journal.next_seq


def _cut(file: Path, size: int) -> None:
    fd = open_regular(file, os.O_WRONLY)
    try:
        os.ftruncate(fd, size)
    finally:
        os.close(fd)

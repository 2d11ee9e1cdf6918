"""The run directory: making it, writing it, and reading one that is live or finished. No torch.

Rows up to an event's step are on disk before the event's line. Nothing is ever overwritten but meta.json,
which is replaced whole.
"""

import os
import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from trainconsole.engine.config import RunConfig
from trainconsole.engine.errors import UserError
from trainconsole.engine.history import ROW, Rows
from trainconsole.engine.messages import AnyEvent, CommandApplied, Event
from trainconsole.engine.reading import decode, encode, nearest, parse

FORMAT = 1

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


def create(runs: Path, preset: str, name: str = "") -> Path:
    """A new directory runs/<date>_<time>_<preset>[-name], made by an exclusive mkdir.

    Raises UserError where it cannot be made.
    """
    label = re.sub(r"[^\w.-]+", "-", f"{preset}-{name}" if name else preset).strip("-.") or "run"
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


class Recorder:
    """Appends to one run directory. The caller sees to it that there is one writer only."""

    def __init__(self, path: Path, *, next_seq: int = 0, rows: int = 0) -> None:
        self.path = path
        self.next_seq = next_seq
        self.rows = rows
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._rows = os.open(path / "metrics.bin", flags, 0o644)
        self._events = os.open(path / "events.jsonl", flags, 0o644)

    def write_rows(self, rows: Rows) -> None:
        """Append `rows` (dtype ROW). Raises OSError where the disk is full or read-only."""
        if len(rows):
            self._append(self._rows, rows.tobytes())
            self.rows += len(rows)

    def write_event(self, event: Event) -> Event:
        """Stamp `event` with seq and time, append its line, return it as written.

        A command that changes training is on disk when this returns (fsync of rows and events).
        """
        event = msgspec.structs.replace(event, seq=self.next_seq, time=time.time())
        self._append(self._events, _encoder.encode(event) + b"\n")
        self.next_seq += 1
        if isinstance(event, CommandApplied):
            self.sync()
        return event

    def sync(self) -> None:
        os.fsync(self._rows)
        os.fsync(self._events)

    def close(self) -> None:
        self.sync()
        os.close(self._rows)
        os.close(self._events)

    @staticmethod
    def _append(fd: int, data: bytes) -> None:
        """All of `data` or nothing: what a full disk took of it is taken back."""
        size, view = os.fstat(fd).st_size, memoryview(data)
        try:
            while view:
                view = view[os.write(fd, view) :]
        except OSError:
            os.ftruncate(fd, size)
            raise


def replace_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: temporary name, fsync, rename."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(draft, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def write_config(path: Path, config: RunConfig) -> None:
    replace_file(path / "config.toml", encode(config).encode())


def read_config(path: Path) -> RunConfig:
    """The config a run started with. Raises UserError."""
    file = path / "config.toml"
    try:
        return decode(parse(file.read_text(), str(file)), str(file))
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; is this a run directory?") from None


def write_meta(path: Path, meta: dict[str, Any]) -> None:
    replace_file(path / "meta.json", msgspec.json.format(_encoder.encode(meta), indent=2) + b"\n")


def read_meta(path: Path) -> dict[str, Any]:
    """meta.json, or {} while there is none. Raises UserError on another format version."""
    try:
        meta: dict[str, Any] = msgspec.json.decode((path / "meta.json").read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return {}
    except msgspec.MsgspecError as error:
        raise UserError(f"{path / 'meta.json'}: damaged: {error}") from None
    if meta.get("format") != FORMAT:
        raise UserError(
            f"{path}: written in format {meta.get('format')}, this version reads format {FORMAT};"
            " open it with the version of trainconsole that wrote it"
        )
    return meta


def read_rows(path: Path, start: int = 0, most: int | None = None) -> Rows:
    """Rows from number `start` on, `most` at most, that are there in full.

    Plain reads, so that a file cut meanwhile is no signal.
    """
    try:
        with open(path / "metrics.bin", "rb") as file:
            file.seek(start * ROW.itemsize)
            data = file.read(-1 if most is None else most * ROW.itemsize)
    except FileNotFoundError:
        data = b""
    return np.frombuffer(data[: len(data) - len(data) % ROW.itemsize], dtype=ROW)


def count_rows(path: Path) -> int:
    """The number of whole rows."""
    try:
        return (path / "metrics.bin").stat().st_size // ROW.itemsize
    except FileNotFoundError:
        return 0


def repair(path: Path) -> list[AnyEvent]:
    """Cut a torn last record off each file, the only thing that is ever cut; returns the events.

    For the one writer of the run, before it appends.
    """
    events, whole = read_events(path)
    for name, size in (("metrics.bin", count_rows(path) * ROW.itemsize), ("events.jsonl", whole)):
        if (path / name).exists() and (path / name).stat().st_size > size:
            os.truncate(path / name, size)
    return events


def read_events(path: Path, offset: int = 0) -> tuple[list[AnyEvent], int]:
    """Events from byte `offset` on whose lines are complete, and the offset after them."""
    try:
        with open(path / "events.jsonl", "rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return [], offset
    whole = data[: data.rfind(b"\n") + 1]
    return [_event(line, path) for line in whole.splitlines()], offset + len(whole)


def _event(line: bytes, path: Path) -> AnyEvent:
    try:
        return _decoder.decode(line)
    except msgspec.MsgspecError as error:
        raise UserError(f"{path / 'events.jsonl'}: damaged: {error}") from None


def find(runs: Path, name: str) -> Path:
    """RUN as a path, a directory name, a unique prefix, or `last`. Raises UserError."""
    if name != "last" and (Path(name) / "config.toml").is_file():
        return Path(name).resolve()
    known = listing(runs)
    if name == "last" and known:
        return known[-1]
    matches = [path for path in known if path.name.startswith(name)]
    exact = [path for path in matches if path.name == name]
    if len(exact or matches) == 1:
        return (exact or matches)[0]
    if not known:
        raise UserError(f"no run '{name}': there are no runs in {runs}; --runs-dir DIR looks elsewhere")
    if matches:
        raise UserError(f"'{name}' fits {len(matches)} runs in {runs}: {', '.join(p.name for p in matches)}")
    raise UserError(f"no run '{name}' in {runs}{nearest(name, [path.name for path in known[-5:]])}")


def listing(runs: Path) -> list[Path]:
    """Run directories, the oldest first."""
    if not runs.is_dir():
        return []
    return sorted(path.resolve() for path in runs.iterdir() if (path / "config.toml").is_file())

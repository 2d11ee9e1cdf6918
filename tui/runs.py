"""Runs as a list: what each is, how far it came, where it lies; and which of them to delete."""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from trainconsole.engine import live, lock, record
from trainconsole.engine.client import Client
from trainconsole.engine.errors import UserError
from trainconsole.engine.live import Live
from trainconsole.engine.lock import RunLock
from trainconsole.engine.messages import Best, EpochEnded, Event, Failed, Finished, Interrupted
from trainconsole.tui.plain import harmless
from trainconsole.tui.tables import columns

RECENT = 20
PATIENCE = 1.0
"""Seconds for a live host to say where it stands."""


class Row(Struct, frozen=True, kw_only=True):
    """One run. `status` is the stage of a live one; `size` in bytes; `pid` and `since` are a live host's."""

    name: str
    status: str
    epoch: int
    epochs: int | None
    best: Best | None
    size: int
    where: str
    pid: int | None = None
    since: float | None = None


def rows(runs: Path, most: int = RECENT) -> list[Row]:
    """The live runs, wherever they are, and the latest `most` in `runs`; the newest last."""
    hosts = {entry.path: entry for entry in live.live()}
    recent = record.listing(runs)[-most:]
    elsewhere = [path for path in hosts if path not in recent]
    return [row(path, hosts.get(path)) for path in [*elsewhere, *recent]]


def table(listed: Sequence[Row]) -> Iterator[str]:
    """Aligned lines of plain text."""
    head = ("run", "status", "epoch", "best", "size", "where")
    cells = [tuple(harmless(cell) for cell in _cells(row)) for row in listed]
    widths = [max(len(line[i]) for line in [head, *cells]) for i in range(len(head))]
    for line in [head, *cells]:
        yield columns(line, widths)


def still_training(entries: Iterable[Live]) -> str | None:
    """One line that names runs left training, with process and since when; None where there is none."""
    named = [f"{harmless(e.path.name)} (pid {e.pid}, since {moment(e.since)})" for e in entries]
    return f"still training: {', '.join(named)}" if named else None


def ending(event: Event | None) -> str:
    """How a run that nobody trains ended, by its last event."""
    match event:
        case Finished():
            return "stopped" if event.reason == "stopped" else "finished"
        case Interrupted():
            return "interrupted"
        case Failed():
            return "failed"
        case _:
            return "killed"


def moment(since: float) -> str:
    """Local time to the minute."""
    return f"{datetime.fromtimestamp(since):%Y-%m-%d %H:%M}"


def deletable(runs: Path, keep: int) -> list[Path]:
    """The runs in `runs` that no host trains, but for the newest `keep`. One that is a link is left alone."""
    training = {entry.path for entry in live.live()}
    idle = [
        path
        for path in record.listing(runs)
        if path.parent == runs.resolve() and path not in training and not lock.is_held(path)
    ]
    return idle[: max(0, len(idle) - keep)]


def delete(run: Path) -> None:
    """Remove a run directory, holding its lock. Raises UserError where it has come to life, or cannot be."""
    held = RunLock(run, "deleting")
    held.acquire(wait=0)
    try:
        shutil.rmtree(run)
    except OSError as error:
        raise UserError(f"{run}: cannot be deleted: {error.strerror}") from None
    finally:
        held.release()


def size(path: Path) -> int:
    """Bytes of the files in a directory; what a link leads to is not counted."""
    found = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                found += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue
    return found


def human(count: int) -> str:
    """Bytes with a unit: 734 B, 1.2 MB."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def row(path: Path, host: Live | None) -> Row:
    """One run: what its events say, and its host, if there is one."""
    epochs: list[EpochEnded] = []
    last: Event | None = None
    try:
        events = record.read_events(path)[0]
        last = events[-1] if events else None
        epochs = [event for event in events if type(event) is EpochEnded]
        status = _stage(host) if host else ending(last)
    except (UserError, ValueError, OSError):
        status = "unreadable"
    if host is None and status != "unreadable" and lock.is_held(path):
        found = lock.holder(path)
        status = f"in use on {found.hostname}" if found else "in use"
    best = last.best if isinstance(last, Finished) else (epochs[-1].best if epochs else None)
    return Row(
        name=path.name,
        status=status,
        epoch=epochs[-1].epoch if epochs else 0,
        epochs=_epochs(path),
        best=best,
        size=size(path),
        where=str(path),
        pid=host.pid if host else None,
        since=host.since if host else None,
    )


def _stage(host: Live) -> str:
    try:
        with Client(Path(host.socket)) as client:
            client.receive(PATIENCE)
            return client.latest.stage if client.latest else "live"
    except UserError:
        return "live"


def _epochs(path: Path) -> int | None:
    try:
        return record.read_config(path).epochs
    except (UserError, ValueError):
        return None


def _cells(row: Row) -> tuple[str, ...]:
    live_since = f" (pid {row.pid}, since {moment(row.since)})" if row.pid and row.since else ""
    best = f"{row.best.metric} {row.best.value:.4f}" if row.best else "-"
    epoch = f"{row.epoch}/{row.epochs}" if row.epochs else str(row.epoch)
    return row.name, row.status + live_since, epoch, best, human(row.size), row.where


def as_json(listed: Sequence[Row]) -> str:
    """An array of objects."""
    return msgspec.json.format(msgspec.json.encode(listed), indent=2).decode()

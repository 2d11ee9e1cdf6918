"""Runs as a list: what each is, how far it came, where it lies; and which of them to delete."""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path

import msgspec
from msgspec import Struct

from trainconsole.engine.common import escapes
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import MIB
from trainconsole.engine.protocol.events import Best, CheckpointSaved, Event, Failed, Finished, Interrupted
from trainconsole.engine.record import lock, own_files, run_directory
from trainconsole.engine.record.last_events import LastWords, last_words
from trainconsole.engine.record.lock import RunLock
from trainconsole.engine.runs import source_run
from trainconsole.engine.transport import registry
from trainconsole.engine.transport.client import Client
from trainconsole.engine.transport.registry import Live
from trainconsole.tui.text.format import harmless, real
from trainconsole.tui.text.tables import columns

RECENT = 20
QUICKLY = MIB
"""Bytes of a config.toml that is read for the list: a larger one takes seconds."""
DEEPEST = 16
FILES = 20_000
BLOCK = 512
PATIENCE = 1.0
"""Seconds for a live host to say where it stands."""


class Row(Struct, frozen=True, kw_only=True):
    """One run. `status` is the stage of a live one; `size` in bytes, at least where there is more than was
    looked at; `pid` and `since` are a live host's; `warning` says what of it could not be read."""

    name: str
    status: str
    epoch: int
    epochs: int | None
    best: Best | None
    size: int
    where: str
    pid: int | None = None
    since: float | None = None
    warning: str = ""


def rows(runs: Path, most: int = RECENT) -> list[Row]:
    """The live runs, wherever they are, and the latest `most` in `runs`; the newest last."""
    hosts = {entry.path: entry for entry in registry.live()}
    recent = run_directory.listing(runs)[-most:]
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
    """Local time to the minute; "?" where no clock shows it."""
    try:
        return f"{datetime.fromtimestamp(since):%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):
        return "?"


def deletable(runs: Path, keep: int) -> list[Path]:
    """The runs in `runs` that no host trains, but for the newest `keep`. One that is a link is left alone."""
    training = {entry.path for entry in registry.live()}
    idle = [
        path
        for path in run_directory.listing(runs)
        if path.parent == runs.resolve() and path not in training and not lock.is_held(path)
    ]
    # A link beside the run that it leads to lists it a second time.
    idle = list(dict.fromkeys(idle))
    return idle[: max(0, len(idle) - keep)]


def spared(doomed: Sequence[Path], runs: Path) -> tuple[list[Path], dict[Path, list[str]]]:
    """Those of `doomed` that no other run needs, and for each of the others the names of those that do."""
    sources = {path: source_run.needed_by(path) for path in run_directory.listing(runs)}
    going, needed = list(doomed), dict[Path, list[str]]()
    while True:
        for path, source in sources.items():
            if path not in going and source in going:
                needed.setdefault(source, []).append(path.name)
        if not any(path in needed for path in going):
            return going, needed
        going = [path for path in going if path not in needed]


def delete(run: Path) -> list[str]:
    """Remove a run, holding its lock; returns the names of what is left, which are none of the run's own.

    Raises UserError where it has come to life, or cannot be.
    """
    held = RunLock(run, "deleting")
    held.acquire(wait=0)
    try:
        return own_files.remove(run, _wrote(run))
    except OSError as error:
        raise UserError(f"{run}: cannot be deleted: {error.strerror}") from None
    finally:
        held.release()


def _wrote(run: Path) -> list[str]:
    """The checkpoints that its events tell of; none where they cannot be read."""
    try:
        events = run_directory.read_events(run)[0]
    except (UserError, OSError):
        return []
    saved = (event.path for event in events if isinstance(event, CheckpointSaved))
    return [path.removeprefix("checkpoints/") for path in saved]


def size(path: Path) -> int:
    """Bytes that the files in a directory take, within DEEPEST folders and FILES files; what a link leads to
    is not counted, nor what was never written of a sparse file."""
    found, seen, folders = 0, 0, [(os.fspath(path), 0)]
    while folders and seen < FILES:
        folder, depth = folders.pop()
        try:
            entries = os.scandir(folder)
        except OSError:
            continue
        with entries:
            for entry in islice(entries, FILES - seen):
                seen += 1
                found += _taken(entry)
                if depth < DEEPEST and entry.is_dir(follow_symlinks=False):
                    folders.append((entry.path, depth + 1))
    return found


def _taken(entry: os.DirEntry[str]) -> int:
    try:
        known = entry.stat(follow_symlinks=False)
    except OSError:
        return 0
    return min(known.st_size, known.st_blocks * BLOCK + BLOCK) if stat.S_ISREG(known.st_mode) else 0


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
    try:
        said = last_words(path)
    except UserError as error:
        said = LastWords(trouble=str(error))
    status = _stage(host) if host else "unreadable" if said.trouble else ending(said.last)
    if host is None and status != "unreadable" and lock.is_held(path):
        found = lock.holder(path)
        status = f"in use on {found.hostname}" if found else "in use"
    best = said.last.best if isinstance(said.last, Finished) else said.epoch.best if said.epoch else None
    return Row(
        name=path.name,
        status=status,
        epoch=said.epoch.epoch if said.epoch else 0,
        epochs=_epochs(path),
        best=best,
        size=size(path),
        where=str(path),
        pid=host.pid if host else None,
        since=host.since if host else None,
        warning=said.trouble,
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
        config = run_directory.read_config(path, QUICKLY)
        return config.epochs if config.script is None else None
    except (UserError, ValueError):
        return None


def _cells(row: Row) -> tuple[str, ...]:
    live_since = f" (pid {row.pid}, since {moment(row.since)})" if row.pid and row.since else ""
    best = f"{row.best.metric} {real(row.best.value):.4f}" if row.best else "-"
    # The config says how many epochs were meant at first: a command may have raised that.
    epoch = f"{row.epoch}/{row.epochs}" if row.epochs and row.epoch <= row.epochs else str(row.epoch)
    return row.name, row.status + live_since, epoch, best, human(row.size), row.where


def warnings(listed: Iterable[Row]) -> Iterator[str]:
    """What could not be read, a line a run."""
    for row in listed:
        if row.warning:
            yield f"warning: {harmless(row.name)}: {harmless(row.warning)}"


def as_json(listed: Sequence[Row]) -> str:
    """An array of objects."""
    return msgspec.json.format(escapes.as_json(listed), indent=2).decode()

"""Runs as the picker lists them: live ones first, then the latest; what has not changed is not read again."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from trainconsole.engine.common import files
from trainconsole.engine.record import run_directory
from trainconsole.engine.transport import registry as live
from trainconsole.engine.transport.registry import Live
from trainconsole.tui.picker.entries import Entry
from trainconsole.tui.state.run_list import RECENT, Row, human, moment, row
from trainconsole.tui.text.event_lines import SHORT, six
from trainconsole.tui.text.format import harmless
from trainconsole.tui.text.run_outcome import brief, commands

OVER = ("finished", "stopped")
"""What stays as it is while its events do."""
CUT_OFF = ("interrupted", "failed", "killed")
"""What can be resumed."""


class Seen(Struct, frozen=True, kw_only=True):
    """A run as it was looked at: `written` is when its events last grew, in ns since 1970, 0 without any."""

    row: Row
    written: int

    @property
    def live(self) -> bool:
        return self.row.pid is not None

    @property
    def path(self) -> Path:
        return Path(self.row.where)


def look(runs: Path, known: Mapping[Path, Seen], most: int = RECENT) -> tuple[Seen, ...]:
    """The live runs, wherever they are, then the latest `most` others in `runs`, each the newest first.

    `known` is what an earlier look found. May wait a second for each live host; raises OSError where `runs`
    cannot be read.
    """
    hosts = {entry.path: entry for entry in reversed(live.live())}
    others = [path for path in reversed(run_directory.listing(runs)) if path not in hosts][:most]
    return tuple(_seen(path, hosts.get(path), known.get(path)) for path in [*hosts, *others])


def entry(seen: Seen) -> Entry:
    """As a row of the list."""
    found = seen.row
    status, epoch = found.status, f"{found.epoch}/{found.epochs}" if found.epochs else "-"
    when = moment(seen.written / 1e9) if seen.written else ""
    return Entry(found.where, (found.name, status, epoch, best(found), when))


def best(found: Row) -> str:
    """accuracy 0.9871"""
    return f"{SHORT.get(found.best.metric, found.best.metric)} {six(found.best.value)}" if found.best else "-"


def facts(seen: Seen) -> tuple[tuple[str, str], ...]:
    """(name, value) pairs about one run."""
    found = seen.row
    where = Path(found.where)
    status = found.status
    if found.pid is not None and found.since is not None:
        status += f", since {moment(found.since)} (pid {found.pid})"
    at = f", epoch {found.best.epoch}" if found.best else ""
    pairs = (
        ("status", status),
        ("epoch", f"{found.epoch} of {found.epochs}" if found.epochs else str(found.epoch)),
        ("best", f"{best(found)}{at}"),
        ("written", moment(seen.written / 1e9) if seen.written else "-"),
        ("size", human(found.size)),
        ("in", str(brief(where.parent))),
        *([("go on", commands(where)["resume"])] if found.status in CUT_OFF else []),
    )
    return tuple((name, harmless(value)) for name, value in pairs)


def config_text(seen: Seen) -> str:
    """The run's config.toml, or nothing where it cannot be read."""
    try:
        return files.read_bytes(seen.path / "config.toml", files.MIB).decode(errors="replace")
    except OSError:
        return ""


def _seen(path: Path, host: Live | None, before: Seen | None) -> Seen:
    written = _written(path)
    if host is None and before and before.written == written and before.row.status in OVER:
        return before
    return Seen(row=row(path, host), written=written)


def _written(path: Path) -> int:
    try:
        return (path / "events.jsonl").stat().st_mtime_ns
    except OSError:
        return 0

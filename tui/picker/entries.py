"""What the picker offers, as plain rows: presets and runs, filtered and aligned. No terminal needed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len

from trainconsole import presets
from trainconsole.presets import Preset
from trainconsole.tui.text.format import harmless


@dataclass(frozen=True)
class Start:
    """Start a run of this preset."""

    preset: str


@dataclass(frozen=True)
class Open:
    """Attach to this run, or look at it if it is over."""

    run: Path


Choice = Start | Open


@dataclass(frozen=True)
class Entry:
    """One row: `key` tells it from the others, `below` is a second line where there is room.

    Whatever they are made of, `cells` and `below` are harmless.
    """

    key: str
    cells: tuple[str, ...]
    below: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", tuple(map(harmless, self.cells)))
        object.__setattr__(self, "below", harmless(self.below))


PRESET_HEAD = ("preset", "task", "data", "model", "")
RUN_HEAD = ("run", "status", "epoch", "best", "last written")


def preset_entries(listed: Iterable[Preset] | None = None) -> tuple[Entry, ...]:
    """Those that come with trainconsole, unless others are given."""
    return tuple(
        Entry(p.name, (p.name, p.task, p.data, p.model, "download" if p.download else ""), p.shows)
        for p in (presets.listing() if listed is None else listed)
    )


def matching(entries: Iterable[Entry], typed: str) -> tuple[Entry, ...]:
    """Those that hold every word of `typed`, whatever the case; first those whose name begins with it."""
    typed = typed.lower()
    words = typed.split()
    found = [entry for entry in entries if all(word in _said(entry) for word in words)]
    return tuple(sorted(found, key=lambda entry: _rank(entry.cells[0].lower(), typed.strip())))


def _said(entry: Entry) -> str:
    return " ".join((*entry.cells, entry.below)).lower()


def _rank(name: str, typed: str) -> int:
    return 0 if name.startswith(typed) else 1 if typed in name else 2


def widths(head: Sequence[str], entries: Iterable[Entry], room: int) -> tuple[int, ...]:
    """Cells of each column that fits, two between each; the last ones are left out first, the first one is
    cut if need be."""
    rows = [tuple(head), *(entry.cells for entry in entries)]
    found = [max(cell_len(row[i]) for row in rows) for i in range(len(head))]
    while len(found) > 1 and sum(found) + 2 * (len(found) - 1) > room:
        found.pop()
    return (min(found[0], max(1, room)), *found[1:])

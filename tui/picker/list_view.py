"""What the picker draws around and in its list, from what it knows; see screen.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from textual.content import Content

from trainconsole.tui import theme
from trainconsole.tui.picker.entries import Entry
from trainconsole.tui.text.cells import clause, cut
from trainconsole.tui.text.format import harmless

Tab = Literal["presets", "runs"]
TABS: tuple[Tab, Tab] = ("presets", "runs")

STATUS = 1
"""The column of a run that is coloured; what is not named here is a stage of a live one."""
COLOURS = {
    "finished": theme.TEXT,
    "stopped": theme.TEXT,
    "interrupted": theme.VALIDATION,
    "failed": theme.BAD,
    "killed": theme.BAD,
    "unreadable": theme.BAD,
}
APART = Content("   ")


@dataclass(frozen=True)
class Shelf:
    """What is on view: `counts` says how many there are of each kind, `shown` how many fit what was typed."""

    tab: Tab
    counts: dict[Tab, str]
    typed: str = ""
    shown: int = 0
    every: int = 0
    note: str = ""
    zoomed: bool = False


def bar(shelf: Shelf) -> Content:
    """The name of the program and the two tabs."""
    tabs = [
        Content.styled(
            f"{tab} {shelf.counts[tab]}".rstrip(),
            f"bold underline {theme.TRAIN}" if tab == shelf.tab else theme.MUTED,
        )
        for tab in TABS
    ]
    return APART.join([Content.styled("  trainconsole", "bold"), *tabs])


def filter_line(shelf: Shelf) -> Content:
    """What was typed, a cursor, and what came of it."""
    after = f"  {shelf.shown} of {shelf.every}" if shelf.typed else f" {harmless(shelf.note)}"
    return Content.assemble(("filter ", theme.MUTED), shelf.typed, (" ", "reverse"), (after, theme.MUTED))


def keys(shelf: Shelf) -> Content:
    """Those that do something now."""
    pairs = (
        ("enter", "start" if shelf.tab == "presets" else "open"),
        ("tab", TABS[shelf.tab == "presets"]),
        ("←", "list") if shelf.zoomed else ("→", "TOML alone"),
        ("pgup pgdn", "scroll it"),
        ("esc", "back" if shelf.zoomed else "clear" if shelf.typed else "quit"),
    )
    parts = [Content.assemble((key, f"bold {theme.TRAIN}"), f" {what}") for key, what in pairs]
    return APART.join(parts).pad_left(2)


def head(cells: Sequence[str], columns: Sequence[int]) -> str:
    """The names of the columns that there is room for."""
    return "  ".join(_cut(cells, columns))


def prompt(tab: Tab, entry: Entry, columns: Sequence[int], below: int) -> Content:
    """One row; with `below` cells for it, what the entry shows on a second line."""
    name, *rest = _cut(entry.cells, columns)
    parts = [Content.styled(name, "bold" if below else "")]
    parts += [Content.styled(cell, _colour(tab, entry.cells, i)) for i, cell in enumerate(rest, start=1)]
    row = Content("  ").join(parts)
    if not below:
        return row
    return Content("\n").join([row, Content.styled(clause(entry.below, below), theme.MUTED)])


def _colour(tab: Tab, cells: Sequence[str], index: int) -> str:
    if tab == "runs":
        return COLOURS.get(cells[index], theme.RATE) if index == STATUS else theme.TEXT
    return theme.VALIDATION if index == len(cells) - 1 else theme.TEXT


def _cut(cells: Sequence[str], columns: Sequence[int]) -> list[str]:
    return [cut(cell, width) for cell, width in zip(cells, columns, strict=False)]

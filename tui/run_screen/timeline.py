"""What has happened, the newest first: events in, text out."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from rich.text import Text

from trainconsole.tui.text.cells import wrapped
from trainconsole.tui.text.timeline import Entry, Kind
from trainconsole.tui.theme import BAD, BEST, MUTED, RATE, TEXT, TRAIN, VALIDATION

COLOURS: Mapping[Kind, str] = {
    "requested": VALIDATION,
    "applied": RATE,
    "rejected": "#ff5f5f",
    "epoch": MUTED,
    "best": BEST,
    "evaluated": TRAIN,
    "paused": BEST,
    "resumed": RATE,
    "warning": BAD,
    "told": TEXT,
    "ended": TRAIN,
}
SIGNS: Mapping[Kind, str] = {
    "requested": "…",
    "applied": "✓",
    "rejected": "✗",
    "epoch": "·",
    "best": "★",
    "evaluated": "◇",
    "paused": "‖",
    "resumed": "▸",
    "warning": "!",
    "told": "▸",
    "ended": "■",
}


def timeline(entries: Sequence[Entry], width: int, height: int) -> list[Text]:
    """Entries from the top, each its line and, dim below it, its detail wrapped."""
    lines: list[Text] = []
    widest = max((len(f"{entry.step:,}") for entry in entries if entry.step is not None), default=1)
    for entry in entries:
        if len(lines) >= height:
            break
        lines += _told(entry, widest, width)
    return lines[:height]


@lru_cache(256)
def _told(entry: Entry, widest: int, width: int) -> tuple[Text, ...]:
    """Kept: most entries were there at the frame before, and each takes 10 us."""
    return tuple(_lines_of(entry, widest, width))


def _lines_of(entry: Entry, widest: int, width: int) -> Iterator[Text]:
    step = f"{entry.step:,}" if entry.step is not None else ""
    head = Text.assemble((f"{step:>{widest}} ", MUTED), (f"{SIGNS[entry.kind]} ", COLOURS[entry.kind]))
    indent = widest + 3
    room = max(8, width - indent)
    for number_, part in enumerate(wrapped(entry.text, room)):
        lead = head if number_ == 0 else Text(" " * indent)
        yield lead.append(part, style=MUTED if entry.kind == "epoch" else TEXT)
    for part in wrapped(entry.detail, room):
        yield Text(" " * indent + part, style=MUTED)

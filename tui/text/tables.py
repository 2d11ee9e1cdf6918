"""Lists as aligned plain text, at most as wide as the terminal."""

import shutil
import textwrap
from collections.abc import Iterable, Iterator

from trainconsole.presets import Preset


def preset_table(presets: Iterable[Preset]) -> Iterator[str]:
    """Name, task, data and model in columns; what a preset shows indented below or beside them."""
    rows = list(presets)
    head = ("preset", "task", "data", "model", "download")
    cells = [(p.name, p.task, p.data, p.model, "yes" if p.download else "no") for p in rows]
    widths = [max(len(row[i]) for row in [head, *cells]) for i in range(len(head))]
    width = min(shutil.get_terminal_size((100, 24)).columns, 120)
    yield columns(head, widths)
    for preset, row in zip(rows, cells, strict=True):
        yield columns(row, widths)
        yield from textwrap.wrap(preset.shows, width - 4, initial_indent="    ", subsequent_indent="    ")


def columns(row: Iterable[str], widths: Iterable[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()

"""Texts in so many cells of a terminal."""

import re

from rich.cells import cell_len, set_cell_size
from rich.text import Text


def cut(text: str, width: int) -> str:
    """`text` in exactly `width` cells; what is cut off is seen to be."""
    if cell_len(text) <= width or width < 2:
        return set_cell_size(text, max(0, width))
    return set_cell_size(text, width - 1) + "…"


def clause(text: str, width: int) -> str:
    """As much of `text` as fits into `width` cells and still ends where something is said."""
    if cell_len(text) <= width:
        return text
    ends = [found.start() for found in re.finditer(r"[:;,.?](?= )", text) if found.start() <= width]
    return text[: ends[-1]] if ends else cut(text, width)


def fitted(text: str, room: int) -> str:
    """`text` in at most `room` cells, with an ellipsis where it was cut."""
    if cell_len(text) <= room:
        return text
    return f"{set_cell_size(text, max(0, room - 1)).rstrip()}…"[: max(0, room)]


def wrapped(text: str, room: int) -> list[str]:
    """Lines of at most `room` cells, broken at blanks where there are any."""
    lines: list[str] = []
    for word in text.split():
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= room:
            lines[-1] += f" {word}"
            continue
        while cell_len(word) > room:
            cut = set_cell_size(word, room).rstrip()
            lines.append(cut)
            word = word[len(cut) :]
        lines.append(word)
    return lines


def fit_text(text: Text, width: int) -> Text:
    text.truncate(max(1, width), overflow="ellipsis")
    return text

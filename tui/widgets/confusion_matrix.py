"""The confusion matrix in colour: the stronger, the larger a count's share of its row."""

import re
from collections.abc import Sequence

from textual.content import Content, Span

from trainconsole.tui import theme
from trainconsole.tui.text.final_report import Matrix, confusion

STEPS = (12, 24, 36, 48, 60)
"""Opacities in percent: few, so that 256 colours show them apart."""


def heat(matrix: Matrix | None, classes: Sequence[str], width: int) -> Content | None:
    """`result.confusion` coloured: what is right (the recall) blue, what is wrong orange; None for none."""
    lines = list(confusion(matrix, classes, width))
    if not matrix or not lines:
        return None
    first, *rest = lines
    title = Content.styled(first, theme.MUTED)
    if not first.startswith("confusion"):
        return Content("\n").join([title, *rest])
    head, *rows = rest
    coloured = [_row(text, row, index) for index, (text, row) in enumerate(zip(rows, matrix, strict=True))]
    return Content("\n").join([title, Content.styled(head, theme.MUTED), *coloured])


def _row(text: str, row: Sequence[int], index: int) -> Content:
    """Counts and recall are the last words of `text`, so that a name with blanks in it does no harm."""
    *_, before = [0, *(found.end() for found in re.finditer(r"\S+", text))][: -len(row) - 1]
    words = list(re.finditer(r"\S+", text))[-len(row) - 1 : -1]
    spans = []
    for column, (word, count) in enumerate(zip(words, row, strict=True)):
        start, before = before, word.end()
        style = _style(count / (sum(row) or 1), right=column == index) if count else theme.ABANDONED
        spans.append(Span(max(start, word.end() - _cell(words)), word.end(), style))
    return Content(text, spans)


def _cell(words: Sequence[re.Match[str]]) -> int:
    """Cells of one column: from the end of one count to the end of the next."""
    return words[1].end() - words[0].end() if len(words) > 1 else len(words[0][0]) + 1


def _style(share: float, *, right: bool) -> str:
    step = STEPS[min(len(STEPS) - 1, int(share * len(STEPS)))]
    return f"{theme.TEXT} on {theme.TRAIN if right else theme.BAD} {step}%"

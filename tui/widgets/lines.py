"""Lines of styled text of which only what changed is drawn anew."""

from collections.abc import Sequence
from itertools import pairwise

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


class Lines(Widget):
    """`show` replaces the text. Textual sends every dirty line again; this makes dirty only what differs."""

    can_focus = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.texts: list[Text] = []
        self._strips: list[Strip] = []
        self._laid: tuple[int, int] = (0, 0)

    def show(self, texts: Sequence[Text]) -> None:
        """Lines from the top; what does not fit is cut."""
        self.texts = list(texts)
        old, self._strips = self._strips, self._drawn()
        for y in range(self.size.height):
            changed = span(strip_at(old, y), strip_at(self._strips, y))
            if changed is not None:
                self.refresh(Region(changed[0], y, changed[1] - changed[0], 1))

    def render_line(self, y: int) -> Strip:
        if self._laid != self.size:
            self._strips = self._drawn()
        width = self.size.width
        strip = strip_at(self._strips, y)
        return (
            strip.adjust_cell_length(width, self.rich_style) if strip else Strip.blank(width, self.rich_style)
        )

    def _drawn(self) -> list[Strip]:
        self._laid, (width, base) = self.size, (self.size.width, self.rich_style)
        return [laid(text, width, base) for text in self.texts[: self.size.height]]


def laid(text: Text, width: int, base: Style) -> Strip:
    """One line, exactly `width` cells wide; blanks take the style of what is before them."""
    segments = [Segment(part, base + _style(text, start)) for start, part in _runs(text)]
    return Strip(segments).adjust_cell_length(width, base).simplify()


def _runs(text: Text) -> list[tuple[int, str]]:
    """Runs of one style: (where it starts, what it says)."""
    cuts = sorted({0, len(text.plain), *(edge for span in text.spans for edge in (span.start, span.end))})
    return [(start, text.plain[start:end]) for start, end in pairwise(cuts)]


def _style(text: Text, at: int) -> Style:
    style = _parsed(text.style)
    for span in text.spans:
        if span.start <= at < span.end:
            style += _parsed(span.style)
    return style


def _parsed(style: str | Style) -> Style:
    return style if isinstance(style, Style) else Style.parse(style)


def strip_at(strips: Sequence[Strip], y: int) -> Strip | None:
    return strips[y] if y < len(strips) else None


def span(old: Strip | None, new: Strip | None) -> tuple[int, int] | None:
    """The columns from the first to the last cell that differ; None where none does."""
    if old is new or (old is not None and new is not None and list(old) == list(new)):
        return None
    before, after = _cells(old), _cells(new)
    width = max(len(before), len(after))
    blank: list[tuple[str, Style | None]] = [(" ", None)]
    before, after = before + blank * (width - len(before)), after + blank * (width - len(after))
    differ = [x for x in range(width) if before[x] != after[x]]
    return (differ[0], differ[-1] + 1) if differ else None


def _cells(strip: Strip | None) -> list[tuple[str, Style | None]]:
    """(character, style) a cell; the second cell of a wide character is empty."""
    if strip is None:
        return []
    return [
        (part, segment.style)
        for segment in strip
        for char in segment.text
        for part in (char, *[""] * (cell_len(char) - 1))
    ]

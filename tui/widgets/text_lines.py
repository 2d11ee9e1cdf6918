"""Lines of styled text of which only what changed is drawn anew."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Span, Text
from textual.geometry import Region, Size
from textual.strip import Strip

from trainconsole.tui.text.format import harmless
from trainconsole.tui.widgets.cached_lines import Kept

Look = tuple[str, str | Style, tuple[Span, ...]]
"""All that a line of text looks like: two that are alike are laid out alike."""


class Lines(Kept):
    """`show` replaces the text. Textual sends every dirty line again; this makes dirty only what differs."""

    can_focus = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.texts: list[Text] = []
        self._looks: list[Look] = []
        self._strips: list[Strip] = []
        self._laid: Size | None = None
        self._base: Style | None = None
        self._drawn: tuple[list[Strip], dict[Look, Strip]] = ([], {})

    def show(self, texts: Sequence[Text]) -> None:
        """Lines from the top; what does not fit is cut."""
        old, size, self.texts = self._strips, self.size, list(texts)
        known = dict(zip(self._looks, old, strict=True)) if size == self._laid else {}
        self._lay_out(known)
        spans = [(y, span(strip_at(old, y), strip_at(self._strips, y))) for y in range(size.height)]
        regions = [Region(part[0], y, part[1] - part[0], 1) for y, part in spans if part is not None]
        if regions:
            self.refresh(*regions)

    def _lay_out(self, known: Mapping[Look, Strip]) -> None:
        """Each line of text as a strip; those that are `known` need it no more, wherever they were."""
        self._laid, size = self.size, self.size
        shown = self.texts[: size.height]
        self._looks = [look(text) for text in shown]
        self._strips = [
            known[same] if same in known else laid(text, size.width, self.base)
            for same, text in zip(self._looks, shown, strict=True)
        ]

    @property
    def base(self) -> Style:
        """What a cell looks like that nothing is said of; kept, since all ancestors are asked for it."""
        if self._base is None:
            self._base = self.rich_style
        return self._base

    def notify_style_update(self) -> None:
        self._base = self._laid = None
        super().notify_style_update()

    def render_lines(self, crop: Region) -> list[Strip]:
        lines, top = super().render_lines(crop), self.content_offset.y - crop.y
        if lines is not self._drawn[0]:
            self._drawn = lines, dict(zip(self._looks, lines[top:], strict=False)) if top >= 0 else {}
        return lines

    def known_line(self, y: int) -> Strip | None:
        """A line that has moved up or down keeps what Textual made of it: borders, background and filters are
        those of all lines."""
        line = y - self.content_offset.y
        return self._drawn[1].get(self._looks[line]) if 0 <= line < len(self._looks) else None

    def render_line(self, y: int) -> Strip:
        if self._laid != self.size:
            self._lay_out({})
        strip, width = strip_at(self._strips, y), self.size.width
        return strip.adjust_cell_length(width, self.base) if strip else Strip.blank(width, self.base)


def look(text: Text) -> Look:
    return text.plain, text.style, tuple(text.spans)


def laid(text: Text, width: int, base: Style) -> Strip:
    """One line, exactly `width` cells wide; blanks take the style of what is before them."""
    segments = [Segment(part, base + _style(text, start)) for start, part in _runs(text)]
    return Strip(segments).adjust_cell_length(width, base).simplify()


def _runs(text: Text) -> list[tuple[int, str]]:
    """Runs of one style: (where it starts, what it says, harmless)."""
    cuts = sorted({0, len(text.plain), *(edge for span in text.spans for edge in (span.start, span.end))})
    plain = harmless(text.plain)
    return [(start, plain[start:end]) for start, end in pairwise(cuts)]


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
    return [(char, segment.style) for segment in strip or () for char in _spread(segment.text)]


@lru_cache(1024)
def _spread(text: str) -> tuple[str, ...]:
    """`text` a cell at a time."""
    if cell_len(text) == len(text):
        return tuple(text)
    return tuple(part for char in text for part in (char, *[""] * (cell_len(char) - 1)))

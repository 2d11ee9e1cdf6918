"""A widget that is asked for all its lines at each frame, and answers with those it has."""

from typing import Self

from textual.containers import Horizontal, Vertical
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


class Kept(Widget):
    """Textual puts a frame together from every line of every widget, and works out borders, background,
    opacity and filters for each widget again: most of what a frame costs. Here only lines that `refresh`
    named go that way."""

    _kept: tuple[Region, list[Strip]] | None = None
    _stale: frozenset[int] = frozenset()

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Self:
        if regions and self._kept is not None:
            top = self.content_offset.y
            self._stale |= {y + top for region in regions for y in region.line_range}
        elif repaint:
            self._kept = None
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def notify_style_update(self) -> None:
        self._kept = None
        super().notify_style_update()

    def render_lines(self, crop: Region) -> list[Strip]:
        if self._kept is None or self._kept[0] != crop:
            self._kept = crop, super().render_lines(crop)
        elif stale := [y for y in self._stale if y in crop.line_range]:
            lines = [*self._kept[1]]
            known = {y: line for y in stale if (line := self.known_line(y)) is not None}
            if new := [y for y in stale if y not in known]:
                first, last = min(new), max(new)
                part = Region(crop.x, first, crop.width, last + 1 - first)
                lines[first - crop.y : last + 1 - crop.y] = super().render_lines(part)
            for y, line in known.items():
                lines[y - crop.y] = line
            self._kept = crop, lines
        self._stale = frozenset()
        return self._kept[1]

    def known_line(self, y: int) -> Strip | None:
        """What line `y` looks like, where the last frame had the same line elsewhere."""
        return None


class Row(Horizontal, Kept):
    """Side by side."""


class Column(Vertical, Kept):
    """One below the other."""

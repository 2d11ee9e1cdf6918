"""A live curve. It sends only the cells that differ from what it sent before.

Textual sends a line from the left edge of a widget to the last cell that is dirty, so the curve is cut into
tiles: side by side, each a widget that shows its part of the one picture.
"""

from collections.abc import Iterator
from itertools import groupby, pairwise
from operator import itemgetter

import numpy as np
from rich.cells import cell_len
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.geometry import Region, Size
from textual.strip import Strip

from trainconsole.engine.record.metric_rows import Indices
from trainconsole.tui import theme
from trainconsole.tui.ascii_fallback import AsciiFilter
from trainconsole.tui.plotting.axes import Limits
from trainconsole.tui.plotting.canvas import BEHIND, SPACE, Chars, Dots, Pen
from trainconsole.tui.plotting.curve_image import Look, Picture, pictured
from trainconsole.tui.plotting.curves import CurveKind
from trainconsole.tui.plotting.view import View
from trainconsole.tui.state.scene import Scene
from trainconsole.tui.widgets.cached_lines import Kept

TILES, SMALL_TILES = 6, 3
"""The more, the fewer bytes a frame and the more work in Textual: with 12 a third less and a half more."""

COLORS = {
    Pen.BORDER: "#444444",
    Pen.AXIS: theme.AXIS,
    Pen.LABEL: theme.MUTED,
    Pen.NAME: theme.TEXT,
    Pen.VALUE: theme.TEXT,
    Pen.MARK: "#4e4e4e",
    Pen.REFUSED: theme.MUTED,
    Pen.ABANDONED: theme.ABANDONED,
    Pen.AHEAD: theme.RATE_AHEAD,
    Pen.VALIDATION: theme.VALIDATION,
    Pen.POINT: theme.VALIDATION,
    Pen.BEST: theme.BEST,
    Pen.BAD: theme.BAD,
    Pen.CURSOR: theme.TEXT,
}
BOLD = (Pen.VALUE, Pen.LINE, Pen.POINT, Pen.BEST)


class Tile(Kept):
    """A part of the picture, as wide as the layout makes it."""

    DEFAULT_CSS = "Tile { width: 1fr; height: 1fr; }"

    def render_line(self, y: int) -> Strip:
        curve = self.parent
        assert isinstance(curve, Curve)
        return curve.strip(y, self.virtual_region.x, self.size.width)


class Curve(Kept):
    """A place for one curve over steps, epochs or time: `show` draws it. The class -active says that it has
    the keys."""

    DEFAULT_CSS = """
    Curve { layout: horizontal; width: 1fr; height: 1fr; overflow: hidden; }
    """
    can_focus = False

    def __init__(self, kind: CurveKind, *, tiles: int = TILES) -> None:
        super().__init__()
        self.kind = kind
        self._cut_in = tiles
        self._seen: tuple[Scene, View] | None = None
        self._drawn: tuple[object, ...] = ()
        self._picture: Picture | None = None
        self._key: tuple[object, ...] = ()
        self._limits: Limits | None = None
        self._active = False
        self._styles: dict[tuple[int, bool], Style] = {}
        self._behind: RichColor | None = None
        self._tiles: tuple[Size | None, list[tuple[Tile, int, int]]] = (None, [])

    def compose(self) -> ComposeResult:
        yield from (Tile() for _ in range(self._cut_in))

    def become(self, kind: CurveKind) -> None:
        """Show another curve from the next frame on."""
        if kind == self.kind:
            return
        self.kind = kind
        self._drawn, self._key, self._picture = (), (), None
        self._styles.clear()

    def show(self, scene: Scene, view: View) -> None:
        """Draw a scene; only what differs from what is on the screen is sent."""
        self._seen = scene, view
        width, height = self.size
        version = scene.series(self.kind.column).track.version
        drawn = (scene, scene.track.version, version, view, width, height, self.has_class("-active"))
        if width and height and drawn != self._drawn:
            self._drawn = drawn
            self._draw(scene, view, (width, height))

    @property
    def steps(self) -> Indices:
        """The step of each column, for View.moved."""
        return self._picture.steps if self._picture is not None else np.zeros(0, np.int64)

    def on_resize(self) -> None:
        if self._seen is not None:
            self.show(*self._seen)

    def strip(self, y: int, start: int, width: int) -> Strip:
        """`width` cells of line y from cell `start` on: runs of one style, blanks taken into the run."""
        picture = self._picture
        if picture is None or y >= picture.chars.shape[0]:
            return Strip.blank(width, self._style(Pen.BLANK))
        chars = _whole(picture.chars[y, start : start + width])
        shown = np.maximum.accumulate(np.where(chars != SPACE, np.arange(len(chars)), 0))
        pens = picture.pens[y, start : start + width][shown]
        text = chars.astype("<u4").tobytes().decode("utf-32-le")
        cuts = [0, *(np.flatnonzero(pens[1:] != pens[:-1]) + 1).tolist(), len(text)]
        parts = ((text[a:b].replace(chr(BEHIND), ""), int(pens[a])) for a, b in pairwise(cuts) if a < b)
        runs = [Segment(part, self._style(pen)) for part, pen in parts]
        return Strip(runs, len(text)).adjust_cell_length(width, self._style(Pen.BLANK))

    def _draw(self, scene: Scene, view: View, size: tuple[int, int]) -> None:
        key = (self.kind.column, view.axis, view.window, view.log_y, view.following)
        if key != self._key:
            self._key, self._limits = key, None
        old = self._picture
        look = Look(color=not self.app.no_color, ascii=self._ascii)
        new = pictured(scene, view, self.kind.column, size, previous=self._limits, look=look)
        self._picture, self._limits = new, new.limits
        active, self._active = self._active, self.has_class("-active")
        if old is None or old.chars.shape != new.chars.shape:
            for tile in self.children:
                tile.refresh()
            return
        changed = (old.chars != new.chars) | ((old.pens != new.pens) & (new.chars != SPACE))
        if active != self._active:
            changed |= np.isin(new.pens, (Pen.BORDER, Pen.NAME))
        self._send(changed)

    def _send(self, changed: Dots) -> None:
        """Have the tiles send the cells that changed, (height, width)."""
        if self._tiles[0] != self.size:
            tiles = self.query_children(Tile)
            self._tiles = self.size, [(tile, tile.virtual_region.x, tile.size.width) for tile in tiles]
        rows, columns = np.nonzero(changed)
        for tile, start, width in self._tiles[1]:
            inside = (columns >= start) & (columns < start + width)
            if inside.any():
                tile.refresh(*_spans(rows[inside].tolist(), (columns[inside] - start).tolist()))

    @property
    def _ascii(self) -> bool:
        return any(isinstance(line_filter, AsciiFilter) for line_filter in self.get_line_filters())

    def _style(self, pen: int) -> Style:
        key = (pen, self._active)
        if key not in self._styles:
            # It is asked of all ancestors: too much for each cell.
            self._behind = self._behind or self.background_colors[1].rich_color
            self._styles[key] = self._made(Pen(pen), self._behind)
        return self._styles[key]

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._behind = None
        self._styles.clear()

    def _made(self, pen: Pen, background: RichColor) -> Style:
        color = {Pen.LINE: self.kind.line, Pen.RAW: self.kind.raw}.get(pen) or COLORS.get(pen, theme.TEXT)
        if self._active and pen == Pen.BORDER:
            color = theme.TRAIN
        bold = pen in BOLD or (self._active and pen == Pen.NAME)
        return Style(color=color, bgcolor=background, bold=bold or None)


def _spans(rows: list[int], columns: list[int]) -> Iterator[Region]:
    """Of each row the cells from the first to the last; both (n,), in reading order."""
    for row, cells in groupby(zip(rows, columns, strict=True), key=itemgetter(0)):
        found = [column for _, column in cells]
        yield Region(found[0], row, found[-1] - found[0] + 1, 1)


def _whole(chars: Chars) -> Chars:
    """(n,) with a blank for half of a character that is two cells wide."""
    behind = np.flatnonzero(chars == BEHIND)
    if not len(behind) and (not len(chars) or cell_len(chr(chars[-1])) < 2):
        return chars
    found = chars.copy()
    if found[0] == BEHIND:
        found[0] = SPACE
    if cell_len(chr(found[-1])) == 2:
        found[-1] = SPACE
    return found

"""One curve of a scene as cells: border, axes, raster and legend. Knows no Textual.

Everything is in one grid, border included, so that the widget sends no more than the cells that differ.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from trainconsole.engine.record.metric_rows import Indices
from trainconsole.tui.plotting import axes
from trainconsole.tui.plotting.axes import Limits
from trainconsole.tui.plotting.canvas import SPACE, Canvas, Chars, Pen, Pens
from trainconsole.tui.plotting.columns import Survey, surveyed
from trainconsole.tui.plotting.legend import lettered, written
from trainconsole.tui.plotting.paint import plotted
from trainconsole.tui.plotting.view import View
from trainconsole.tui.state.scene import Axis, Scene

GUTTER = axes.GUTTER + 1
"""Cells on the left of the canvas: labels and the axis."""
WITH_AXIS = 6
"""Lines within the border from which on the axis below has room."""


@dataclass(frozen=True)
class Look:
    """What a terminal can show."""

    color: bool = True
    ascii: bool = False


@dataclass(frozen=True)
class Picture:
    """Code points and pens, (height, width). `limits` are those of the values, to be kept for the next one;
    `steps` has the step of each column of the canvas, ascending."""

    chars: Chars
    pens: Pens
    limits: Limits
    steps: Indices


def pictured(
    scene: Scene,
    view: View,
    quantity: str,
    size: tuple[int, int],
    *,
    previous: Limits | None = None,
    look: Look = Look(),
) -> Picture:
    """The picture of `size` (width, height), from 1 by 1 on; a border from 3 lines on."""
    room = _room(size)
    canvas = Canvas(room.width, room.height, ascii=look.ascii)
    survey = surveyed(scene, view, quantity, canvas.dots[0])
    limits = _limits(survey, previous, log=view.log_y)
    plotted(canvas, survey, limits, log=view.log_y, color=look.color)
    sheet = Canvas(*size, ascii=look.ascii)
    behind = _backdrop(size, room, view.axis, survey.bounds, limits, view.log_y)
    sheet.chars[:], sheet.pens[:] = behind.chars, behind.pens
    sheet.chars[room.rows, room.columns], sheet.pens[room.rows, room.columns] = canvas.chars, canvas.pens
    _signs(sheet, room, survey)
    if room.edge:
        lettered(sheet, scene, view, quantity, survey)
    return Picture(sheet.chars, sheet.pens, limits, survey.steps[1::2])


@dataclass(frozen=True)
class Room:
    """Where in the sheet the canvas of `width` by `height` cells lies: within a border of `edge` cells, right
    of `gutter` cells of labels, above `below` lines of axis."""

    width: int
    height: int
    edge: int
    gutter: int
    below: int

    @property
    def rows(self) -> slice:
        return slice(self.edge, self.edge + self.height)

    @property
    def columns(self) -> slice:
        return slice(self.edge + self.gutter, self.edge + self.gutter + self.width)


def _room(size: tuple[int, int]) -> Room:
    """What there is room for: the smaller, the less beside the curve itself."""
    width, height = size
    edge = 1 if height >= 3 and width >= GUTTER + 4 else 0
    gutter = GUTTER if width - 2 * edge >= GUTTER + 2 else 0
    below = 2 if gutter and height - 2 * edge >= WITH_AXIS else 0
    return Room(width - 2 * edge - gutter, height - 2 * edge - below, edge, gutter, below)


ROWS_APART = 3
"""Between two ticks upwards at least: at one and two rows apart they would seem to be uneven."""


def _limits(survey: Survey, previous: Limits | None, *, log: bool) -> Limits:
    extent = survey.extent(log=log)
    if extent is None:
        return previous or ((-1.0, 0.0) if log else (0.0, 1.0))
    return axes.log_limits(previous, *extent) if log else axes.limits(previous, *extent)


@lru_cache(16)
def _backdrop(
    size: tuple[int, int], room: Room, axis: Axis, bounds: Limits, limits: Limits, log: bool
) -> Canvas:
    """Border and axes, which mostly stay as they are."""
    sheet = Canvas(*size)
    width, height = size
    if room.edge:
        for column in (0, width - 1):
            sheet.chars[:, column], sheet.pens[:, column] = ord("│"), Pen.BORDER
        for row, (first, last) in ((0, "╭╮"), (height - 1, "╰╯")):
            written(sheet, 0, row, [(first + "─" * (width - 2) + last, Pen.BORDER)])
    if not room.gutter:
        return sheet
    up = _cells(axes.y_ticks(limits, min(room.height // ROWS_APART + 1, 6), log=log), limits, room.height)
    across = _cells(axes.x_ticks(axis, bounds, room.width), bounds, room.width) if room.below else ()
    labels = tuple((cell, text.rjust(axes.ROOM) + " ") for cell, text in up)
    whole = GUTTER + room.width, room.height + room.below
    text = "".join(axes.frame(whole, across, labels)).encode("utf-32-le")
    place = slice(room.edge, room.edge + whole[1]), slice(room.edge, room.edge + whole[0])
    sheet.chars[place] = np.frombuffer(text, "<u4").reshape(whole[::-1])
    sheet.pens[place] = Pen.AXIS
    sheet.pens[place][:, : axes.GUTTER] = Pen.LABEL
    if room.below:
        row = room.edge + room.height + 1
        sheet.pens[row, room.edge : room.edge + whole[0]] = Pen.LABEL
    return sheet


def _cells(ticks: axes.Ticks, bounds: Limits, cells: int) -> tuple[tuple[int, str], ...]:
    """The cell of each tick, one label a cell: the last, so that of a single line it is the upper limit."""
    low, high = bounds
    found = {min(int((at - low) / (high - low) * cells), cells - 1): text for at, text in ticks}
    return tuple((max(cell, 0), text) for cell, text in found.items())


def _signs(sheet: Canvas, room: Room, survey: Survey) -> None:
    """On the axis: where there was no number, and the commands; their names below it, where no label is."""
    left, axis = room.columns.start, room.rows.stop
    row = axis if room.below else axis - 1
    for column in np.flatnonzero(survey.bad.reshape(-1, 2).any(axis=1)).tolist():
        sheet.put(left + column, row, "\u00d7", Pen.BAD)
    for x, symbol, applied in survey.marks if room.below else ():
        column, pen = left + int(x) // 2, Pen.NAME if applied else Pen.REFUSED
        free = (sheet.chars[axis + 1, column - 1 : column + 2] == SPACE).all()
        arrow = "▲" if applied else "△"
        sheet.put(column, axis, arrow if free else symbol or arrow, pen)
        if free:
            sheet.put(column, axis + 1, symbol or " ", pen)

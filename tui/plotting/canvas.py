"""A canvas of braille cells in numpy: two dots across and four up a cell, and what it was drawn with."""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from trainconsole.engine.record.metric_rows import Floats, Indices

Dots = npt.NDArray[np.bool_]
Chars = npt.NDArray[np.uint32]
Pens = npt.NDArray[np.uint8]

BRAILLE = 0x2800
BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint32)
"""What each dot of a cell adds to its code point, (4, 2), from the top."""
SPACE = ord(" ")
BEHIND = 0
"""In the second cell of a character that is two cells wide."""


class Pen(IntEnum):
    """What a cell shows; the palette says how that looks."""

    BLANK = 0
    BORDER = 1
    AXIS = 2
    LABEL = 3
    NAME = 4
    VALUE = 5
    MARK = 6
    REFUSED = 7
    ABANDONED = 8
    RAW = 9
    AHEAD = 10
    VALIDATION = 11
    LINE = 12
    POINT = 13
    BEST = 14
    BAD = 15
    CURSOR = 16


ASCII = {
    Pen.MARK: ":",
    Pen.ABANDONED: ",",
    Pen.RAW: ".",
    Pen.AHEAD: "-",
    Pen.VALIDATION: "'",
    Pen.LINE: "*",
}
"""What a cell with dots is shown as where there is no braille."""


class Canvas:
    """Cells of (height, width): a code point and a pen each. What is drawn later lies on top.

    Dots are counted from the lower left. In `ascii` a cell has as many dots, but one sign for each pen.
    """

    def __init__(self, width: int, height: int, *, ascii: bool = False) -> None:
        self.width, self.height, self.ascii = width, height, ascii
        self.chars: Chars = np.full((height, width), SPACE, np.uint32)
        self.pens: Pens = np.zeros((height, width), np.uint8)

    @property
    def dots(self) -> tuple[int, int]:
        """(across, up)."""
        return 2 * self.width, 4 * self.height

    def draw(self, dots: Dots, pen: Pen) -> None:
        """Dots (up, across) in one pen; a cell takes the pen that drew in it last, and its dots alone."""
        cells = dots[::-1].reshape(self.height, 4, self.width, 2)
        codes = np.einsum("hiwj,ij->hw", cells, BITS)
        found = codes > 0
        signs = ord(ASCII.get(pen, "*")) if self.ascii else codes[found] + BRAILLE
        self.chars[found] = signs
        self.pens[found] = pen

    def put(self, column: int, row: int, sign: str, pen: Pen) -> None:
        """One sign in a cell, counted from the upper left; outside of the canvas nothing happens."""
        if 0 <= column < self.width and 0 <= row < self.height:
            self.chars[row, column] = ord(sign)
            self.pens[row, column] = pen


def heights(values: Floats, low: float, high: float, dots: int) -> Floats:
    """The dot, from 0 at `low`, of each value; NaN stays. Beyond the limits below 0 or above dots - 1."""
    shares = np.minimum(np.maximum((values - low) / (high - low), -1), 2)
    return np.where(shares == 1, dots - 1.0, np.floor(shares * dots))


def spans(low: Floats, high: Floats, breaks: Dots) -> tuple[Floats, Floats]:
    """A line of no gaps through columns of dots low to high, (n,) each, NaN where a column has none.

    Columns without are crossed by straight lines, but not past one of `breaks`; neighbours are made to touch.
    """
    low, high = low.copy(), high.copy()
    known = np.flatnonzero(~np.isnan(low))
    if not len(known):
        return low, high
    if len(known) < len(low):
        _cross(low, high, known, breaks)
    with np.errstate(invalid="ignore"):
        rises = low[1:] > high[:-1] + 1
        falls = high[1:] < low[:-1] - 1
    upward, downward = np.floor((low[1:] + high[:-1]) / 2), np.floor((high[1:] + low[:-1]) / 2)
    high[:-1] = np.where(rises, np.fmax(high[:-1], upward), high[:-1])
    low[1:] = np.where(rises, np.fmin(low[1:], upward + 1), low[1:])
    low[:-1] = np.where(falls, np.fmin(low[:-1], downward + 1), low[:-1])
    high[1:] = np.where(falls, np.fmax(high[1:], downward), high[1:])
    return low, high


def _cross(low: Floats, high: Floats, known: Indices, breaks: Dots) -> None:
    """Fill in the columns between those that are `known`."""
    before = np.searchsorted(known, np.arange(len(low)), side="right") - 1
    after = np.minimum(before + 1, len(known) - 1)
    broken = np.cumsum(breaks)
    across = np.isnan(low) & (before >= 0) & (before < len(known) - 1)
    across &= broken[known[after]] == broken[known[np.maximum(before, 0)]]
    at = np.flatnonzero(across)
    low[at] = high[at] = np.round(np.interp(at, known, (low[known] + high[known]) / 2))


def filled(low: Floats, high: Floats, dots: int) -> Dots:
    """(dots, n): those from low to high in each column."""
    rows = np.arange(dots)[:, None]
    with np.errstate(invalid="ignore"):
        found: Dots = (rows >= low) & (rows <= high)
    return found


def polyline(columns: Floats, rows: Floats, width: int) -> Floats:
    """The row at each of `width` columns of a line through points with ascending columns; NaN outside and
    beside a NaN point."""
    if not len(columns):
        return np.full(width, np.nan)
    return np.interp(np.arange(width), columns, rows, left=np.nan, right=np.nan)


def dotted(dots: Dots, on: int, period: int) -> Dots:
    """Of every `period` columns the first `on`."""
    found: Dots = dots & (np.arange(dots.shape[1]) % period < on)
    return found


def stippled(dots: Dots) -> Dots:
    """Every other dot, as a chessboard: a shade where there are no colours."""
    found: Dots = dots & (np.add.outer(np.arange(dots.shape[0]), np.arange(dots.shape[1])) % 2 == 0)
    return found

"""Metric history as arrays: the row of metrics.bin, columns that grow, and their minimum and maximum over any
range of rows. No torch."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

ROW = np.dtype(
    [
        ("step", "<u8"),
        ("branch", "<u4"),
        ("epoch", "<u4"),
        ("time", "<f8"),
        ("loss", "<f4"),
        ("metric", "<f4"),
        ("lr", "<f4"),
        ("grad_norm", "<f4"),
    ]
)
"""One update, 40 bytes: its number, seconds of training so far, the rate it used; NaN where not measured."""

Rows = npt.NDArray[np.void]
Column = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

FEW = 6
"""Ranges that are reduced one by one; a curve that grows has one or two new ones a frame."""
FAN = 32
"""Values that become one at the next level of a pyramid: 10 million are summed up in 13 MB, a range of them
is reduced by looking at no more than 64 a level."""


def described() -> list[list[str]]:
    """The dtype as [[name, code], ...] for meta.json, so that a file can be read without this package."""
    return [[name, ROW[name].str] for name in ROW.names or ()]


class Growing:
    """A one-dimensional array of one dtype that is appended to; its room doubles."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self._room: Column = np.empty(0, dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def values(self) -> Column:
        """What was appended so far, not copied; valid until the next `append`."""
        return self._room[: self._length]

    def append(self, values: npt.NDArray[np.generic]) -> None:
        """Copies `values`, which may be strided."""
        length = self._length + len(values)
        if length > len(self._room):
            room = np.empty(max(length, 2 * len(self._room), 1024), self._room.dtype)
            room[: self._length] = self.values
            self._room = room
        self._room[self._length : length] = values
        self._length = length


class Summary:
    """Of ranges of values, each (n,): their smallest and largest finite value (NaN where there is none),
    the sum and the number of the finite ones."""

    def __init__(self, low: Floats, high: Floats, total: Floats, count: Indices) -> None:
        self.low, self.high, self.total, self.count = low, high, total, count

    @classmethod
    def empty(cls, size: int) -> "Summary":
        nothing = np.full(size, np.nan)
        return cls(nothing, nothing.copy(), np.zeros(size), np.zeros(size, np.int64))

    def add(self, at: Indices, other: "Summary") -> None:
        """Take `other` (m,) into the ranges numbered `at` (m,), each of which appears once."""
        self.low[at] = np.fmin(self.low[at], other.low)
        self.high[at] = np.fmax(self.high[at], other.high)
        self.total[at] += other.total
        self.count[at] += other.count

    def replaced(self, at: Indices, other: "Summary") -> "Summary":
        """A copy with `other` (m,) in place of the ranges numbered `at` (m,)."""
        found = Summary(self.low.copy(), self.high.copy(), self.total.copy(), self.count.copy())
        found.low[at], found.high[at] = other.low, other.high
        found.total[at], found.count[at] = other.total, other.count
        return found

    @property
    def mean(self) -> Floats:
        """NaN where no value is finite."""
        found = np.full(len(self.total), np.nan)
        np.divide(self.total, self.count, out=found, where=self.count > 0)
        return found


class Pyramid:
    """Summaries of ever more values of a float column, so that any range of it is reduced without a scan.

    Level 0 is the column itself; a cell of the next level sums up `FAN` cells. What has been appended to the
    column is taken in when it is first asked for. Sums are added, never subtracted from each other: a loss
    that once was 1e30 costs its neighbours no digit.
    """

    def __init__(self, column: Growing) -> None:
        self._column = column
        self._levels: list[tuple[Growing, ...]] = []

    def reduce(self, starts: Indices, stops: Indices, *, extremes: bool = True, sums: bool = True) -> Summary:
        """The summary of values[start:stop] for each of (n,) ranges, empty where stop <= start.

        Without `extremes` there is no low and high in it, without `sums` no total: half the cost.
        """
        self._grow()
        if len(starts) <= FEW:
            return self._one_by_one(starts, stops)
        found = Summary.empty(len(starts))
        at = np.flatnonzero(stops > starts)
        starts, stops = starts[at], stops[at]
        for level in range(len(self._levels) + 1):
            top = level == len(self._levels)
            first, last = -(-starts // FAN), stops // FAN
            inside = first < last if not top else np.zeros(len(at), bool)
            # Of a range with whole cells above, the ends; of another, all: less than two cells.
            found.add(at, self._gathered(level, starts, np.where(inside, first * FAN, stops), extremes, sums))
            at, starts, stops, rest = at[inside], first[inside], last[inside], stops[inside]
            if not len(at):
                break
            found.add(at, self._gathered(level, stops * FAN, rest, extremes, sums))
        return found

    def _one_by_one(self, starts: Indices, stops: Indices) -> Summary:
        """The same for few ranges, where numpy's time for a call is all there is: a tenth of it."""
        found = Summary.empty(len(starts))
        for at, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
            parts = [self._of_slice(*part) for part in self._parts(start, stop)]
            if known := [part for part in parts if part[3]]:
                low, high, total, count = zip(*known, strict=True)
                found.low[at], found.high[at] = min(low), max(high)
                found.total[at], found.count[at] = sum(total), sum(count)
        return found

    def _parts(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """(level, start, stop) of the cells that make up a range."""
        level = 0
        while start < stop:
            first, last = -(-start // FAN), stop // FAN
            if first >= last or level == len(self._levels):
                yield level, start, stop
                return
            yield level, start, first * FAN
            yield level, last * FAN, stop
            level, start, stop = level + 1, first, last

    def _of_slice(self, level: int, start: int, stop: int) -> tuple[float, float, float, int]:
        """Low, high, sum and number of the finite values in cells of one level; a number of 0 says that the
        rest means nothing."""
        if level:
            low, high, total, count = (part.values[start:stop] for part in self._levels[level - 1])
            number = int(count.sum())
        else:
            values = self._column.values[start:stop]
            finite = np.isfinite(values)
            number = int(np.count_nonzero(finite))
            low = high = total = values if number == len(values) else values[finite]
        if not number:
            return 0.0, 0.0, 0.0, 0
        return float(np.fmin.reduce(low)), float(np.fmax.reduce(high)), float(total.sum(dtype=float)), number

    def _gathered(self, level: int, starts: Indices, stops: Indices, extremes: bool, sums: bool) -> Summary:
        """The summary of short ranges of the cells of one level."""
        found = Summary.empty(len(starts))
        widest = int((stops - starts).max(initial=0))
        if widest <= 0:
            return found
        cells = starts[:, None] + np.arange(widest)
        outside = cells >= stops[:, None]
        cells[outside] = 0
        taken = None if level else self._column.values[cells]
        if taken is not None:
            outside |= ~np.isfinite(taken)
        low, high, total, count = self._levels[level - 1] if level else (self._column,) * 4
        if extremes:
            lows = low.values[cells] if taken is None else taken
            highs = high.values[cells] if taken is None else taken
            found.low[:] = np.fmin.reduce(np.where(outside, np.nan, lows), axis=1)
            found.high[:] = np.fmax.reduce(np.where(outside, np.nan, highs), axis=1)
        if sums:
            totals = total.values[cells] if taken is None else taken
            found.total[:] = np.add.reduce(np.where(outside, 0, totals), axis=1, dtype=float)
        counts = np.where(outside, 0, count.values[cells]) if level else ~outside
        found.count[:] = np.add.reduce(counts, axis=1, dtype=np.int64)
        return found

    def _grow(self) -> None:
        """Take in what was appended, a block at a time so that it stays in the processor's cache."""
        for level in range(32):
            below = len(self._levels[level - 1][0]) if level else len(self._column)
            done = len(self._levels[level][0]) if level < len(self._levels) else 0
            if below // FAN == done:
                return
            if level == len(self._levels):
                self._levels.append(
                    (
                        *(Growing(self._column.values.dtype) for _ in range(2)),
                        Growing(np.float64),
                        Growing(np.int64),
                    )
                )
            for start in range(done, below // FAN, 4096):
                self._append(level, slice(start * FAN, min(start + 4096, below // FAN) * FAN))

    def _append(self, level: int, cells: slice) -> None:
        low, high, total, count = self._levels[level]
        if level:
            parts = [part.values[cells].reshape(-1, FAN) for part in self._levels[level - 1]]
        else:
            values = self._column.values[cells].reshape(-1, FAN)
            finite = np.isfinite(values)
            if not finite.all():
                known = np.where(finite, values, np.nan)
                parts = [known, known, np.where(finite, values, 0), finite]
            else:
                parts = [values, values, values, finite]
        low.append(np.fmin.reduce(parts[0], axis=1))
        high.append(np.fmax.reduce(parts[1], axis=1))
        total.append(np.add.reduce(parts[2], axis=1, dtype=float))
        count.append(np.add.reduce(parts[3], axis=1, dtype=np.int64))

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
        self._all_finite = True

    def reduce(self, starts: Indices, stops: Indices, *, extremes: bool = True, sums: bool = True) -> Summary:
        """The summary of values[start:stop] for each of (n,) ranges, empty where stop <= start.

        Without `extremes` there is no low and high in it, without `sums` no total: half the cost.
        """
        self._grow()
        if len(starts) <= FEW:
            return self._one_by_one(starts, stops)
        found, whole = Summary.empty(len(starts)), self._is_whole
        at = np.flatnonzero(stops > starts)
        starts, stops = starts[at], stops[at]
        if whole:
            found.count[at] = stops - starts
        for level in range(len(self._levels) + 1):
            if not len(at):
                break
            first, last = -(-starts // FAN), stops // FAN
            inside = (first < last) & (level < len(self._levels))
            # Of a range with whole cells above, both ends; of another, all: less than two cells.
            begins = np.array([starts, np.where(inside, last * FAN, stops)])
            ends = np.array([np.where(inside, first * FAN, stops), stops])
            self._gather(found, at, _Cells(level, begins, ends), whole, extremes, sums)
            at, starts, stops = at[inside], first[inside], last[inside]
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

    def _gather(
        self, found: Summary, at: Indices, cells: "_Cells", whole: bool, extremes: bool, sums: bool
    ) -> None:
        """Take cells of one level into the ranges of `found` numbered `at`, their counts if not `whole`."""
        parts = self._levels[cells.level - 1] if cells.level else (self._column,) * 4
        low, high, total, count = (part.values for part in parts)
        finite = np.isfinite(cells.of(low)) if not cells.level and not whole else None
        if extremes:
            lows = cells.of(low)
            highs = cells.of(high) if cells.level else lows
            if finite is not None:
                lows = highs = np.where(finite, lows, np.nan)
            found.low[at] = np.fmin(found.low[at], np.fmin.reduce(lows, axis=0))
            found.high[at] = np.fmax(found.high[at], np.fmax.reduce(highs, axis=0))
        if whole and not sums:
            return
        inside = cells.inside if finite is None else cells.inside & finite
        if sums:
            totals = np.where(inside, cells.of(total), 0)
            found.total[at] += np.add.reduce(totals, axis=0, dtype=float)
        if not whole:
            counts = np.where(inside, cells.of(count), 0) if cells.level else inside
            found.count[at] += np.add.reduce(counts, axis=0, dtype=np.int64)

    @property
    def _is_whole(self) -> bool:
        """Whether every value is finite; those that no level has yet are looked at."""
        done = len(self._levels[0][0]) * FAN if self._levels else 0
        return self._all_finite and bool(np.isfinite(self._column.values[done:]).all())

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
                self._all_finite = False
                known = np.where(finite, values, np.nan)
                parts = [known, known, np.where(finite, values, 0), finite]
            else:
                parts = [values, values, values, finite]
        low.append(np.fmin.reduce(parts[0], axis=1))
        high.append(np.fmax.reduce(parts[1], axis=1))
        total.append(np.add.reduce(parts[2], axis=1, dtype=float))
        count.append(np.add.reduce(parts[3], axis=1, dtype=np.int64))


class _Cells:
    """The cells of one level in two short parts of each of n ranges, none of them empty: (2, n) begins, ends.

    `at` (m, n) are their numbers, filled up with cells of the same range, which changes no extreme; `inside`
    (m, n) says which are no such filling.
    """

    def __init__(self, level: int, begins: Indices, ends: Indices) -> None:
        self.level = level
        widest = int((ends - begins).max(initial=1))
        cells = begins[:, None] + np.arange(widest)[:, None]
        latest = np.minimum(np.maximum(ends - 1, begins), ends[1] - 1)
        shape = 2 * widest, begins.shape[1]
        self._inside = cells, ends
        self.at = np.minimum(cells, latest[:, None]).reshape(shape)

    @property
    def inside(self) -> npt.NDArray[np.bool_]:
        cells, ends = self._inside
        return (cells < ends[:, None]).reshape(self.at.shape)

    def of(self, values: Column) -> Column:
        """(m, n). All numbers are in bounds; numpy is faster where it need not say so."""
        taken: Column = values.take(self.at, mode="clip")
        return taken

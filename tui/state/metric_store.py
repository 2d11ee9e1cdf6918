"""All that was read of a run's rows: the curve in force, and what was abandoned. Knows no Textual."""

from bisect import bisect_right
from collections.abc import Mapping
from operator import itemgetter
from typing import Literal

import numpy as np

from trainconsole.engine.record.metric_rows import (
    ROW,
    Column,
    Floats,
    Growing,
    Indices,
    Pyramid,
    Rows,
    Summary,
)
from trainconsole.engine.runs.branches import Fork, Spans, spans

BLOCK = 1 << 15
"""Rows that are taken apart at a time: the six columns of one block come out of the processor's cache."""

LOOKED_AT = 200
"""Of the pieces that are no longer in force."""
KEPT = 32
"""Reductions that are kept."""
EDGES_KEPT = 8

What = Literal["extremes", "sums"]

Piece = tuple[int, int]
"""Rows from the first number to before the second, in the order of the file."""


class Track:
    """Columns in the order of the file, each once; which of them are in force is a few pieces of them.

    An undo costs nothing but new pieces. A row is given by its place on the curve in force, from 0. Rows are
    of `dtype`, which has a step, a branch and columns to draw; with `at_fork` a branch may have some of the
    very step that it begins at.
    """

    def __init__(self, dtype: np.dtype[np.void] = ROW, *, at_fork: bool = False) -> None:
        self.version = 0
        self._at_fork = at_fork
        self._dtype = dtype
        self.abandoned: tuple[Piece, ...] = ()
        drawn = [name for name in dtype.names or () if dtype[name] == np.float32]
        self._columns = {"step": Growing(np.int64)} | {name: Growing(np.float32) for name in drawn}
        if "time" in (dtype.names or ()):
            self._columns["time"] = Growing(np.float64)
        self._pyramids = {name: Pyramid(self._columns[name]) for name in drawn}
        self._branches: list[tuple[int, int]] = []
        self._epochs: list[tuple[int, int]] = []
        self._pieces: tuple[Piece, ...] = ()
        self._places = np.zeros(1, np.int64)
        self._known = 0
        self._limits: Spans = {}
        self._cuts: list[tuple[tuple[Piece, ...], tuple[Piece, ...]]] = []
        self._last: dict[str, float] | None = None
        self._placed = dict[tuple[int, str, bytes], Indices]()
        self._kept = dict[tuple[str, What, int], tuple[Indices, Indices, Summary]]()

    def extend(self, rows: Rows, forks: Mapping[int, Fork]) -> None:
        """Take `rows`, those that follow in the file, in. `forks` has every branch that is known by now,
        those of the rows among them; without rows it alone may bring something new."""
        for start in range(0, len(rows), BLOCK):
            self._append(rows[start : start + BLOCK])
        pieces, abandoned = self._parted(forks)
        if len(rows) or (pieces, abandoned) != (self._pieces, self.abandoned):
            self.version += 1
            if not _goes_on(self._pieces, pieces):
                self._kept.clear()
            self._pieces, self.abandoned = pieces, abandoned
            self._places = np.cumsum([0, *(stop - start for start, stop in pieces)])
            self._last = self.row(len(self) - 1) if len(self) else None

    def catch_up(self, forks: Mapping[int, Fork]) -> None:
        """Know the forks that have come since."""
        if len(forks) != self._known and len(self._columns["step"]):
            self.extend(np.zeros(0, self._dtype), forks)

    def __len__(self) -> int:
        return int(self._places[-1])

    @property
    def last(self) -> dict[str, float] | None:
        """The newest row in force."""
        return self._last

    def at(self, step: float) -> dict[str, float] | None:
        """The row of `step`, or else of the one before it that is nearest; None where there is none."""
        place = int(self.places("step", np.array([step]))[0]) - 1
        return self.row(place) if place >= 0 else None

    def row(self, place: int) -> dict[str, float]:
        """Step, epoch, time and the columns of one row, as far as rows have them. Raises IndexError."""
        if not 0 <= place < len(self):
            raise IndexError(place)
        piece = int(np.searchsorted(self._places, place, side="right")) - 1
        row = self._pieces[piece][0] + place - int(self._places[piece])
        found = {name: column.values[row].item() for name, column in self._columns.items()}
        return found | ({"epoch": self._entry(self._epochs, row)} if self._epochs else {})

    def column(self, name: str) -> Column:
        """One column of the curve in force; a copy only where it lies in several pieces."""
        values = self._columns[name].values
        parts = [values[start:stop] for start, stop in self._pieces]
        return parts[0] if len(parts) == 1 else np.concatenate([values[:0], *parts])

    def take(self, name: str, places: Indices) -> Floats:
        """One column at (n,) rows in force."""
        found = np.empty(len(places))
        for (start, stop), place in zip(self._pieces, self._places, strict=False):
            at = np.flatnonzero((places >= place) & (places < place + stop - start))
            found[at] = self._columns[name].values[places[at] - place + start]
        return found

    def places(self, axis: str, edges: Floats) -> Indices:
        """For each of (n,) ascending edges the number of rows in force up to it; `axis` is step or time.

        Kept, as curves of equal width ask for the same.
        """
        key = self.version, axis, edges.tobytes()
        if key not in self._placed:
            found = np.zeros(len(edges), np.int64)
            for piece in self._pieces:
                found += self._within(piece, axis, edges)
            if len(self._placed) >= EDGES_KEPT:
                self._placed.clear()
            self._placed[key] = found
        return self._placed[key]

    def reduce(self, name: str, starts: Indices, stops: Indices, what: What) -> Summary:
        """Column `name` over (n,) ranges of rows in force, of the summary only `what` is asked for.

        The last answer is kept: ranges that are the same again cost nothing, and while a curve grows to the
        right all but the last are.
        """
        key = (name, what, len(starts))
        if key in self._kept:
            old_starts, old_stops, old = self._kept[key]
            some = (starts < stops) | (old_starts < old_stops)
            at = np.flatnonzero(((starts != old_starts) | (stops != old_stops)) & some)
            found = old.replaced(at, self._reduced(name, starts[at], stops[at], what)) if len(at) else old
        else:
            found = self._reduced(name, starts, stops, what)
        if len(self._kept) > KEPT:
            self._kept.clear()
        self._kept[key] = starts, stops, found
        return found

    def _reduced(self, name: str, starts: Indices, stops: Indices, what: What) -> Summary:
        parts = {"extremes": what == "extremes", "sums": what == "sums"}
        if len(self._pieces) == 1:
            begin = self._pieces[0][0]
            return self._pyramids[name].reduce(starts + begin, stops + begin, **parts)
        found = Summary.empty(len(starts))
        for (start, stop), place in zip(self._pieces, self._places, strict=False):
            first, last = (np.clip(ends - place, 0, stop - start) + start for ends in (starts, stops))
            at = np.flatnonzero(last > first)
            if len(at):
                found.add(at, self._pyramids[name].reduce(first[at], last[at], **parts))
        return found

    def envelope(self, name: str, axis: str, edges: Floats) -> Summary:
        """Column `name` in force between each two of (n + 1,) edges: above the one, up to the other."""
        places = self.places(axis, edges)
        return self.reduce(name, places[:-1], places[1:], "extremes")

    def abandoned_envelopes(self, name: str, axis: str, edges: Floats, most: int) -> list[Summary]:
        """The same of the newest `most` pieces that are no longer in force, as far as they can be seen; no
        more than the newest LOOKED_AT are looked at."""
        found: list[Summary] = []
        for piece in reversed(self.abandoned[-LOOKED_AT:]):
            rows = self._within(piece, axis, edges) + piece[0]
            if rows[-1] > rows[0] and len(found) < most:
                found.append(self._pyramids[name].reduce(rows[:-1], rows[1:]))
        return found[::-1]

    def smoothed(self, name: str, places: Indices, window: int) -> Floats:
        """The mean of column `name` over each of (n,) rows in force and the `window` - 1 before it.

        Of the raw series, exact whatever the window; values that are not finite are left out, and where
        there is no other the mean is NaN.
        """
        stops = places + 1
        return self.reduce(name, np.maximum(stops - max(window, 1), 0), stops, "sums").mean

    def epochs(self) -> tuple[Indices, Indices]:
        """Of each epoch in force its number (from 1) and its first step, ascending."""
        steps, found = self._columns["step"].values, dict[int, int]()
        for start, stop in self._pieces:
            within = [(row, epoch) for row, epoch in self._epochs if start < row < stop]
            for row, epoch in [(start, self._entry(self._epochs, start)), *within]:
                found.setdefault(epoch, int(steps[row]))
        return np.array(list(found), np.int64), np.array(list(found.values()), np.int64)

    def _append(self, rows: Rows) -> None:
        first = len(self._columns["step"])
        for entries, column_name in ((self._branches, "branch"), (self._epochs, "epoch")):
            if column_name not in (self._dtype.names or ()):
                continue
            values = rows[column_name]
            for row in (0, *(np.flatnonzero(values[1:] != values[:-1]) + 1).tolist()):
                if not entries or entries[-1][1] != values[row]:
                    entries.append((first + row, int(values[row])))
        for name, column in self._columns.items():
            column.append(rows[name])

    @staticmethod
    def _entry(entries: list[tuple[int, int]], row: int) -> int:
        """What the last entry at or before a row says."""
        return entries[bisect_right(entries, row, key=itemgetter(0)) - 1][1]

    def _within(self, piece: Piece, axis: str, edges: Floats) -> Indices:
        """How many rows of a piece lie up to each edge."""
        values = self._columns[axis].values[piece[0] : piece[1]]
        # Whole numbers are sought as such: else all of the column would be copied to compare it.
        sought = np.floor(np.clip(edges, -1, 2.0**62)).astype(np.int64) if axis == "step" else edges
        return np.searchsorted(values, sought, side="right").astype(np.int64)

    def _parted(self, forks: Mapping[int, Fork]) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
        """The pieces in force, in order, and the others: as branches.in_force has it.

        Of what was parted before, only the last stretch is looked at again, until there is another fork.
        """
        if len(forks) != self._known:
            self._known, self._limits, self._cuts = len(forks), spans(forks), []
        whole = len(self._branches) - 1
        for at in range(len(self._cuts), whole):
            self._cuts.append(self._cut(at, self._branches[at + 1][0]))
        rest = [self._cut(whole, len(self._columns["step"]))] if whole >= 0 else []
        # A branch is written after its parents, so the order of the file is that of the curve.
        pieces = [piece for kept, _ in (*self._cuts, *rest) for piece in kept]
        return tuple(pieces), tuple(piece for _, others in (*self._cuts, *rest) for piece in others)

    def _cut(self, at: int, stop: int) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
        """What is in force, and what is not, of the rows of one branch that begin its `at`-th stretch."""
        start, branch = self._branches[at]
        begin, last = self._limits.get(branch, (0.0, -1.0))
        begin -= self._at_fork
        if begin >= last:
            return (), ((start, stop),)
        first, end = (start + self._within((start, stop), "step", np.array([begin, last]))).tolist()
        kept = ((first, end),) if first < end else ()
        return kept, tuple(piece for piece in ((start, first), (end, stop)) if piece[0] < piece[1])


def _goes_on(old: tuple[Piece, ...], new: tuple[Piece, ...]) -> bool:
    """Whether every row that was in force is so still, at the same place."""
    if not old or len(new) < len(old):
        return not old
    (start, stop), last = old[-1], new[len(old) - 1]
    return old[:-1] == new[: len(old) - 1] and last[0] == start and last[1] >= stop

"""How curves are looked at: axis, window, scale, smoothing and cursor. Immutable; every key gives another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from trainconsole.tui.state.scene import AXES, Axis, Reach

Smoothing = Literal["off", "light", "medium", "strong"]
SMOOTHING: dict[Smoothing, int] = {"off": 0, "light": 200, "medium": 50, "strong": 20}
"""Each is the mean over about this fraction of the planned steps."""
JUMP = 4
"""A window that follows moves by this fraction of its width at a time: what is drawn stays in place."""
TAIL = 0.1
"""Of the whole run: what `tail` shows if nothing was zoomed."""


@dataclass(frozen=True)
class View:
    """`window` is (low, high) in units of the axis, None the whole planned run. One that follows keeps its
    width and moves with the run. `cursor` is the step that is inspected."""

    axis: Axis = "step"
    window: tuple[float, float] | None = None
    following: bool = True
    log_y: bool = False
    smoothing: Smoothing = "medium"
    cursor: int | None = None

    def bounds(self, reach: Reach) -> tuple[float, float]:
        """What is shown, (low, high) with low < high."""
        if self.window is None:
            return reach.low, max(reach.high, reach.low + 1e-9)
        low, high = self.window
        if not self.following:
            return low, high
        width, jump = high - low, (high - low) / JUMP
        end = min((math.floor(reach.now / jump + 1e-9) + 1) * jump, max(reach.high, reach.now))
        low = max(reach.low, end - width)
        return low, low + width

    def whole(self) -> "View":
        return replace(self, window=None, following=True)

    def tail(self, reach: Reach) -> "View":
        """Follow the newest step, as closely as it was looked at."""
        low, high = self.bounds(reach)
        width = high - low if self.window else max((reach.high - reach.low) * TAIL, reach.least)
        return replace(self, window=(reach.now - width, reach.now), following=True)

    def panned(self, share: float, reach: Reach) -> "View":
        """Moved by a share of the window's width, not beyond the run; the whole run stays as it is.

        Moved to where the run is now it follows again.
        """
        if self.window is None:
            return self
        low, high = self.bounds(reach)
        width = high - low
        low = min(max(low + share * width, reach.low), max(reach.high - width, reach.low))
        return replace(self, window=(low, low + width), following=share > 0 and low + width > reach.now)

    def zoomed(self, factor: float, reach: Reach, cursor: float | None = None) -> "View":
        """The window's width times `factor`, about `cursor` (in units of the axis), else about the newest
        step where it is followed, else about the middle."""
        low, high = self.bounds(reach)
        width = max((high - low) * factor, reach.least)
        if width >= (reach.high - reach.low) * (1 - 1e-9):
            return self.whole()
        if cursor is not None:
            left = cursor - (cursor - low) * width / (high - low)
        elif self.following:
            return replace(self, window=(reach.now - width, reach.now))
        else:
            left = (low + high - width) / 2
        left = min(max(left, reach.low), reach.high - width)
        return replace(self, window=(left, left + width), following=False)

    def next_axis(self) -> "View":
        """Steps, epochs, time; the whole run, since windows are in other units."""
        return replace(self.whole(), axis=AXES[(AXES.index(self.axis) + 1) % len(AXES)])

    def toggled_log(self) -> "View":
        return replace(self, log_y=not self.log_y)

    def next_smoothing(self) -> "View":
        """Medium, strong, off, light and again."""
        names = list(SMOOTHING)
        return replace(self, smoothing=names[(names.index(self.smoothing) + 1) % len(names)])

    def inspecting(self, step: int | None) -> "View":
        """With the cursor at a step, or with none."""
        return replace(self, cursor=step)

    def moved(self, columns: int, steps: Sequence[int]) -> "View":
        """The cursor moved by as many columns as show another step; `steps` has the step of each column."""
        shown = np.unique(np.asarray(steps, np.int64))
        if self.cursor is None or not len(shown):
            return self
        at = max(int(np.searchsorted(shown, self.cursor, side="right")) - 1, 0) + columns
        return replace(self, cursor=int(shown[min(max(at, 0), len(shown) - 1)]))

    def mean_over(self, steps: int) -> int:
        """The number of steps that one smoothed value is the mean of, in a run of `steps`: 1, 2 or 5 times a
        power of ten, and 1 where nothing is smoothed."""
        fraction = SMOOTHING[self.smoothing]
        return round_number(steps / fraction) if fraction else 1


def round_number(value: float) -> int:
    """The 1, 2 or 5 times a power of ten that is nearest in proportion, at least 1."""
    if value <= 1:
        return 1
    power = int(10 ** math.floor(math.log10(value)))
    near: list[int] = [power * mantissa for mantissa in (1, 2, 5, 10)]
    return min(near, key=lambda number: abs(math.log(value / number)))

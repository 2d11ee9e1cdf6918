"""What there is to draw of a run at one moment, and where that lies along each axis. Knows no Textual."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from trainconsole.engine.record.metric_rows import Floats
from trainconsole.tui.state.metric_store import Track
from trainconsole.tui.state.own_numbers import VALUE, OwnNumbers, is_own, name_of

Axis = Literal["step", "epoch", "time"]
AXES: tuple[Axis, ...] = ("step", "epoch", "time")
ENDED = ("finished",)
"""Stages in which a run is as long as it was, whatever was planned."""
NICE = np.array([1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10])
LEAST = 8
"""Steps that the narrowest window shows."""


@dataclass(frozen=True)
class Mark:
    """A command that took effect, or was refused, after `step` updates; `symbol` is one character."""

    step: int
    symbol: str
    applied: bool = True


@dataclass(frozen=True)
class Reach:
    """Along one axis: the whole run as planned, where it is now, and the narrowest window that has sense."""

    low: float
    high: float
    now: float
    least: float


class Series(NamedTuple):
    """What one curve is drawn from: a column of what was read, and whether its rows tell the time."""

    track: Track
    column: str
    timed: bool = True


NOTHING = OwnNumbers({})


@dataclass(frozen=True)
class Scene:
    """`steps` and `epochs` are planned. `validation` of the curve in force is (step, values by name), `ahead`
    the rate to come, (step, rate), `best` (step, value, metric)."""

    track: Track
    steps: int
    metric: str = "accuracy"
    validation: tuple[tuple[int, Mapping[str, float]], ...] = ()
    marks: tuple[Mark, ...] = ()
    best: tuple[int, float, str] | None = None
    ahead: tuple[tuple[int, float], ...] = ()
    stage: str = "training"
    epochs: float = 0.0
    own: OwnNumbers = NOTHING

    def series(self, quantity: str) -> Series:
        """Of a column of the record, or of an own number by its key; one that is not known yet is empty."""
        if is_own(quantity):
            return Series(self.own.track(name_of(quantity)), VALUE, timed=False)
        return Series(self.track, quantity)

    @property
    def done(self) -> int:
        """The last step in force; of a run that has no rows, of its own numbers."""
        last = self.track.last
        return int(last["step"]) if last else self.own.last_step

    @property
    def end(self) -> int:
        """The last step of the whole run: the planned one, or where it ended."""
        if self.stage in ENDED:
            return max(self.done, 1)
        if not self.steps:
            # Nobody knows: a round number, so that the axis keeps still.
            return round(_nice(float(max(self.done, 10))))
        return max(self.steps, self.done, 1)

    def reach(self, axis: Axis) -> Reach:
        low, now, high = self.along(axis, np.array([0.0, self.done, self.end]))
        if axis == "time" and self.end > self.done:
            # It is only guessed: to two digits at most, so that the axis keeps still.
            high = _nice(high)
        return Reach(float(low), float(high), float(now), float(high - low) * min(LEAST / self.end, 1.0))

    def along(self, axis: Axis, steps: Floats) -> Floats:
        """Where (n,) steps lie on an axis: in steps, in epochs done, in seconds."""
        if axis == "epoch":
            return np.interp(steps, *self._epochs())
        if axis == "time":
            return self._times(steps)
        return steps.astype(float)

    def edges(self, axis: Axis, values: Floats, *, timed: bool = True) -> tuple[str, Floats]:
        """What (n,) ascending values of an axis are sought by among the rows: a column, and values in it.

        Rows that are not `timed` are sought by step, and there may be some of step 0.
        """
        if axis == "epoch":
            knots, epochs = self._epochs()
            axis, values = "step", np.interp(values, epochs, knots)
        elif axis == "time" and not timed:
            axis, values = "step", self._steps_at(values)
        if not timed and values[0] <= 0:
            values = np.array([-1.0, *values[1:]])
        return axis, values

    def _epochs(self) -> tuple[Floats, Floats]:
        """Steps, and the epochs done by then: exact where one began, even between and after."""
        numbers, first = self.track.epochs()
        knots, done = (first - 1.0).tolist(), (numbers - 1.0).tolist()
        if not knots or knots[0] > 0:
            knots, done = [0.0, *knots], [0.0, *done]
        pace = (knots[-1] - knots[-2]) / (done[-1] - done[-2]) if len(knots) > 1 else float(self.end)
        left = self.end - knots[-1]
        total = self.epochs if self.epochs > done[-1] and self.stage not in ENDED else 0.0
        last = max(total, done[-1] + max(left / max(pace, 1.0), 1e-9))
        return np.array([*knots, self.end]), np.array([*done, last])

    def _times(self, steps: Floats) -> Floats:
        """Seconds of training at each step; before the first and after the last row at the mean pace."""
        last = self.track.last
        if last is None:
            return steps.astype(float)
        places = self.track.places("step", steps) - 1
        known = self.track.take("time", np.maximum(places, 0))
        pace = last["time"] / max(last["step"], 1)
        ahead = last["time"] + (steps - last["step"]) * pace
        return np.where(steps > last["step"], ahead, np.where(places < 0, 0.0, known))

    def _steps_at(self, times: Floats) -> Floats:
        """The last step done at each of (n,) seconds, in fractions beyond the last row."""
        last = self.track.last
        if last is None:
            return times
        places = self.track.places("time", times) - 1
        known = self.track.take("step", np.maximum(places, 0))
        pace = max(last["time"] / max(last["step"], 1), 1e-12)
        ahead = last["step"] + (times - last["time"]) / pace
        return np.where(times > last["time"], ahead, np.where(places < 0, 0.0, known))


def _nice(value: float) -> float:
    """The round number at or above `value`."""
    power = 10.0 ** np.floor(np.log10(max(value, 1e-9)))
    return float(power * NICE[np.searchsorted(NICE * power, value * (1 - 1e-9))])

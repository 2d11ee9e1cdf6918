"""The axes of live curves: limits that keep still, round ticks and their labels, the lines themselves.

plotext, which draws the charts that stand still, takes 0.4 ms for one axis, so that a window of four curves
that moves would cost 3 ms of a frame for its lines.
"""

import math

from trainconsole.tui.state.scene import Axis
from trainconsole.tui.text.ticks import labels, ticks

GUTTER = 7
"""Cells of the labels on the left, always as many: a label that grows moves no curve."""
ROOM = GUTTER - 1
"""Characters of a label there: one that needs more is not cut, it would say another number."""
SHRINK = 0.4
"""Limits are drawn in once the data need less than this share of them."""
FLAT = 1e-6

Limits = tuple[float, float]
Ticks = tuple[tuple[float, str], ...]
"""(value, label), ascending."""


def limits(previous: Limits | None, low: float, high: float, *, most: int = 5) -> Limits:
    """Round numbers that enclose the finite `low` <= `high`, and where possible the previous ones.

    They widen at once when data leave them and draw in only when the data need much less, so that a noisy
    curve does not shiver. A range that starts near 0 starts at 0.
    """
    if 0 < low < 0.5 * high:
        low = 0.0
    if previous is None or high - low < SHRINK * (previous[1] - previous[0]):
        return _round(low, high, most)
    if previous[0] <= low and high <= previous[1]:
        return previous
    return _round(min(low, previous[0]), max(high, previous[1]), most)


def log_limits(previous: Limits | None, low: float, high: float) -> Limits:
    """The same for a logarithmic axis, as exponents of ten, of positive `low` <= `high`: 1, 2 or 5 times a
    power of ten, or powers alone where there are many."""
    low, high = math.log10(low), math.log10(high)
    if previous is not None and high - low >= SHRINK * (previous[1] - previous[0]):
        if previous[0] <= low and high <= previous[1]:
            return previous
        low, high = min(low, previous[0]), max(high, previous[1])
    knots = _exponents(low - 1, high + 1, (1,) if high - low > 2 else (1, 2, 5))
    down = max(knot for knot in knots if knot <= low + FLAT)
    return down, min(knot for knot in knots if knot >= high - FLAT and knot > down)


Cells = tuple[tuple[int, str], ...]
"""(cell, label), counted from the lower left of the canvas."""


def frame(size: tuple[int, int], across: Cells, up: Cells) -> tuple[str, ...]:
    """Lines of `size` cells (width, height), the canvas blank. Where no ticks are across, no axis is."""
    width, height = size
    gutter = max((len(text) for _, text in up), default=0)
    labels, below = dict(up), _below(width, gutter, across) if across else ()
    sides = (
        f"{labels.get(row, ''):>{gutter}}{'┤' if row in labels else '│'}"
        for row in reversed(range(height - len(below)))
    )
    return (*(line.ljust(width)[:width] for line in sides), *below)


def _below(width: int, gutter: int, across: Cells) -> tuple[str, str]:
    """The axis, and the labels that stand apart, each below its tick as far as the width allows."""
    axis, labels, free = [*" " * gutter, "└", *"─" * (width - gutter - 1)], [" "] * width, 0
    for cell, text in across:
        at = gutter + 1 + cell
        axis[at : at + 1] = "┬" * (at < width)
        start = max(0, min(at - len(text) // 2, width - len(text)))
        if start >= free:
            labels[start : start + len(text)] = text
            free = start + len(text) + 1
    return "".join(axis)[:width], "".join(labels)[:width]


def y_ticks(bounds: Limits, most: int, *, log: bool) -> Ticks:
    """At most `most` labelled values within the limits, the limits alone where there are 3 or fewer; of a
    logarithmic axis the exponents."""
    low, high = bounds
    if most <= 3:
        texts = [_power(at) for at in bounds] if log else labels(bounds, ROOM)
        return (low, texts[0]), (high, texts[1])
    if not log:
        found = [tick for tick in ticks(low, high, max(most, 2)) if _within(tick, bounds)]
        return tuple(zip(found, labels(found, ROOM), strict=True))
    fine = [at for at in _exponents(low, high, (1, 2, 5)) if _within(at, bounds)]
    powers = [at for at in _exponents(low, high, (1,)) if _within(at, bounds)]
    found = fine if len(fine) <= most or len(powers) < 2 else powers
    if not found:
        return y_ticks(bounds, 2, log=True)
    every = -(-len(found) // max(most, 2))
    return tuple((at, _power(at)) for at in found[::every])


def x_ticks(axis: Axis, bounds: Limits, width: int) -> Ticks:
    """Labelled values along an axis that is `width` cells long."""
    low, high = bounds
    most = max(width // 12, 4)
    if axis == "time":
        step = next((s for s in CLOCK if (high - low) / s <= most), None)
        if step is not None:
            numbers = range(math.ceil(low / step - FLAT), math.floor(high / step + FLAT) + 1)
            return tuple((number * step, clock(number * step, step)) for number in numbers)
    found = [tick for tick in ticks(low, high, most + 1) if _within(tick, bounds)]
    if axis != "time":
        found = [tick for tick in found if tick == int(tick)] or found
    return tuple(zip(found, labels(found), strict=True)) if found else ()


CLOCK = (
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    10800,
    21600,
    43200,
    86400,
)


def clock(seconds: float, step: float = 60) -> str:
    """A tick in hours, minutes or seconds, `step` seconds from the next: 1h30, 2:30, 45s, 61.5s, 1h00:30."""
    if seconds < 60 or step < 1:
        return f"{round(seconds, 1):.10g}s" if seconds else "0"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02}" if rest else f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    if step < 60:
        return f"{hours}h{minutes:02}:{rest:02}"
    return f"{hours}h{minutes:02}" if minutes else f"{hours}h"


def value(number: float | None) -> str:
    """A number as it is read off a curve, in four digits: 0.03125, 1.25e-05, 12.3k."""
    if number is None or math.isnan(number):
        return "-"
    return f"{number:.4g}" if abs(number) < 1e6 else f"{number:.3e}"


def _power(exponent: float) -> str:
    number = 10.0**exponent
    return (
        f"{number:.3g}" if 1e-3 <= number < 1e4 else f"{number:.0e}".replace("e-0", "e-").replace("e+0", "e")
    )


def _round(low: float, high: float, most: int) -> Limits:
    found = ticks(low, high, most)
    return found[0], found[-1]


def _exponents(low: float, high: float, mantissas: tuple[int, ...]) -> list[float]:
    """The exponents of those times each power of ten, from about `low` to about `high`."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    return [power + math.log10(mantissa) for power in powers for mantissa in mantissas]


def _within(tick: float, bounds: Limits) -> bool:
    slack = (bounds[1] - bounds[0]) * FLAT
    return bounds[0] - slack <= tick <= bounds[1] + slack

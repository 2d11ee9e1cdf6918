"""Round numbers for an axis, and how they are written. Pure, and imports next to nothing."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` round numbers, a step of 1, 2 or 5 times a power of ten apart, that enclose low to high.

    Two at least; low must not be above high, and both finite. What differs by less than a millionth is taken
    as the same.
    """
    size = max(abs(low), abs(high))
    span = high - low if high - low > max(size * 1e-6, 1e-30) else size if size > 1e-30 else 1.0
    exponent = math.floor(math.log10(span / most))
    for step in (mantissa * 10.0**power for power in range(exponent, exponent + 4) for mantissa in (1, 2, 5)):
        # Half a millionth of a step is rounding, not data.
        first, last = math.floor(low / step + 5e-7), math.ceil(high / step - 5e-7)
        last = max(last, first + 1)
        if last - first < most:
            return [round(number * step, 12 - exponent) for number in range(first, last + 1)]
    return [low, high]


SCALES = {"": 1.0, "k": 1e3, "M": 1e6}
FINEST = 17
"""Digits that a double has."""
ALIKE = 1e-5
"""Of the distance between two ticks: what is nearer to a tick is that tick, and no other number."""


def labels(values: Sequence[float], room: int = 12) -> tuple[str, ...]:
    """What is written at ticks `values`, ascending: each is the number itself, in at most `room` characters,
    and differs from those beside it. "" at a tick for which there is no room to say so."""
    apart = min((after - before for before, after in pairwise(values)), default=0.0) or abs(values[0]) or 1.0
    for texts in _written(values, apart):
        if all(
            len(text) <= room and _is(text, value, apart) for text, value in zip(texts, values, strict=True)
        ):
            return texts
    alone = tuple(_shortest(value, room, apart) for value in values)
    return alone if any(alone) else (_rounded(values[0], room), *alone[1:])


def read(text: str) -> float:
    """The number that a label says."""
    scale = SCALES.get(text[-1:], 1.0)
    return float(text.rstrip("kM")) * scale


def _is(text: str, value: float, apart: float) -> bool:
    return abs(read(text) - value) <= ALIKE * apart


def _written(values: Sequence[float], apart: float) -> Iterator[tuple[str, ...]]:
    """All of them in one style, the most usual first."""
    yield tuple(_usual(value, apart) for value in values)
    for style in _styles():
        yield tuple(style(value) if value else "0" for value in values)


def _styles() -> Iterator[Callable[[float], str]]:
    for sign, most in (("", 9), ("k", 4), ("M", 4)):
        yield from (partial(_scaled, sign, digits) for digits in range(most))
    yield from (partial(_power_of_ten, digits) for digits in range(FINEST))


def _scaled(sign: str, digits: int, value: float) -> str:
    return f"{value / SCALES[sign]:.{digits}f}{sign}"


def _power_of_ten(digits: int, value: float) -> str:
    mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def _shortest(value: float, room: int, apart: float) -> str:
    """The first way to write this one alone that is exact and has room, else ""."""
    styles = (style(value) for style in _styles())
    return next((text for text in styles if len(text) <= room and _is(text, value, apart)), "")


def _rounded(value: float, room: int) -> str:
    """In as many digits as there is room for: true as far as it goes."""
    texts = (_power_of_ten(digits, value) for digits in range(FINEST, -1, -1))
    return next((text for text in texts if len(text) <= room), "")


def _usual(value: float, step: float) -> str:
    if step >= 1e5 and abs(value) < 1e10:
        return f"{value / 1e6:.10g}M" if value else "0"
    return label(value, step)


def label(value: float, step: float) -> str:
    """A tick in as many digits as the distance to the next one asks for: 0.25, 400, 20k, 1e-5."""
    if value == 0:
        return "0"
    if abs(value) >= 1e7 or step < 1e-4:
        return f"{value:.3g}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    if step >= 1000:
        return f"{value / 1000:.0f}k"
    return f"{value:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"

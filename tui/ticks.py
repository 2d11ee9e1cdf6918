"""Round numbers for an axis, and how they are written. Pure, and imports next to nothing."""

import math


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


def label(value: float, step: float) -> str:
    """A tick in as many digits as the distance to the next one asks for: 0.25, 400, 20k, 1e-5."""
    if value == 0:
        return "0"
    if abs(value) >= 1e7 or step < 1e-4:
        return f"{value:.3g}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    if step >= 1000:
        return f"{value / 1000:.0f}k"
    return f"{value:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"

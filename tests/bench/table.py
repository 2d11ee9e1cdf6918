"""Rows of the table: what was measured, against what, and whether the goal is met."""

import statistics
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

HEADINGS = ("what", "against", "goal", "measured", "spread", "met")


class Row(Struct, frozen=True):
    """`value` and the quartiles `low` and `high` are in `unit` ("" for a ratio); `better` is the side of
    `goal` that they should be on, None where there is no goal. `limit` says what keeps the goal from being
    met, with the row that shows it."""

    what: str
    against: str
    value: float
    low: float
    high: float
    goal: float | None = None
    better: Literal["above", "below"] = "above"
    unit: str = ""
    limit: str = ""

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value >= self.goal if self.better == "above" else self.value <= self.goal

    @property
    def cells(self) -> tuple[str, ...]:
        sign = {"above": ">=", "below": "<="}[self.better]
        unit = f" {self.unit}" if self.unit else ""
        return (
            self.what,
            self.against,
            "" if self.goal is None else f"{sign} {self.goal:g}{unit}",
            f"{_digits(self.value)}{unit}",
            "" if self.low == self.high else f"{_digits(self.low)} to {_digits(self.high)}",
            {True: "yes", False: "no", None: ""}[self.met],
        )


def row(what: str, against: str, values: Sequence[float], goal: float | None = None, **more: str) -> Row:
    """The median of `values` and their quartiles."""
    low, middle, high = quartiles(values)
    return Row(what, against, middle, low, high, goal, **more)  # type: ignore[arg-type]


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def text(rows: Sequence[Row]) -> str:
    """For a terminal: columns of equal width."""
    lines = [HEADINGS, *(row.cells for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    padded = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(line.rstrip() for line in padded)


def markdown(rows: Sequence[Row]) -> str:
    lines = [HEADINGS, ("---",) * len(HEADINGS), *(row.cells for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _digits(value: float) -> str:
    return f"{value:.3f}" if 0 < abs(value) < 10 else f"{value:.0f}"

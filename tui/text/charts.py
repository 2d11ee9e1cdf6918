"""Charts that stand still, drawn by plotext; the one module that knows it.

5.x: 6.1 is a rewrite that takes one call a point, and textual-plotext works with 5.x only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import plotext

from trainconsole.engine.record.metric_rows import Rows
from trainconsole.tui.text.ticks import labels, ticks

Series = npt.NDArray[np.float64]

SIDE_BY_SIDE = 76
"""From this width on two charts stand beside each other, below it one above the other."""
WIDEST = 60
"""Columns of each of two charts at most: a longer line says no more."""
HEIGHT = 15
LOW = 11
ASCII = str.maketrans("─│┌┐└┘├┤┬┴┼", "-|+++++++++")


@dataclass(frozen=True)
class Ink:
    """What a chart is drawn with. Without `unicode` it is plain ASCII, without `color` no escape codes."""

    color: bool
    unicode: bool

    @property
    def line(self) -> str:
        return "braille" if self.unicode else "."


def curves(
    rows: Rows,
    epochs: Sequence[tuple[int, float, float]],
    metric: str,
    *,
    width: int,
    color: bool = False,
    unicode: bool = True,
) -> list[str]:
    """Loss and `metric` over steps: training as a line, validation (step, loss, metric) as o.

    Values that are not finite are left out. Returns lines of text, each at most `width` cells wide (30 at
    least), the last of them the legend.
    """
    ink, steps = Ink(color, unicode), np.asarray(rows["step"], dtype=float)
    columns = np.asarray(list(epochs), dtype=float).reshape(-1, 3)
    beside = width >= SIDE_BY_SIDE
    size = (min(WIDEST, (width - 2) // 2), HEIGHT) if beside else (max(30, width), LOW)
    left, right = (
        _chart(name, (steps, np.asarray(values, dtype=float)), (columns[:, 0], columns[:, column]), size, ink)
        for name, values, column in (("loss", rows["loss"], 1), (metric, rows["metric"], 2))
    )
    legend = "line: training" + ("   o: validation" if len(columns) else "")
    if not beside:
        return [line.rstrip() for line in (*left, *right, legend)]
    both = [f"{a}  {b}" for a, b in zip(left, right, strict=True)]
    return [line.rstrip() for line in (*both, legend.center(2 * size[0] + 2))]


def thinned(x: Series, y: Series, most: int) -> tuple[Series, Series]:
    """At most `most` points: the mean of each run of neighbours, non-finite values left out."""
    finite = np.isfinite(y)
    x, y = x[finite], y[finite]
    if len(x) <= most:
        return x, y
    edges = np.linspace(0, len(x), most + 1).astype(int)[:-1]
    counts = np.diff(np.append(edges, len(x)))
    return np.add.reduceat(x, edges) / counts, np.add.reduceat(y, edges) / counts


def _chart(
    title: str,
    training: tuple[Series, Series],
    validation: tuple[Series, Series],
    size: tuple[int, int],
    ink: Ink,
) -> list[str]:
    """One chart of exactly `size` cells, (width, height)."""
    width, height = size
    end = max([1.0, *training[0][-1:], *validation[0][-1:]])
    training, validation = thinned(*training, width), thinned(*validation, width)
    plotext.clear_figure()
    plotext.limit_size(False, False)
    plotext.theme("clear")
    plotext.plotsize(width, height)
    plotext.title(title)
    _axes(end, np.concatenate([training[1], validation[1]]), size)
    for (x, y), draw, marker, hue in (
        (training, plotext.plot, ink.line, "cyan"),
        (validation, plotext.scatter, "o", "orange"),
    ):
        if len(x):
            draw(x.tolist(), y.tolist(), marker=marker, color=hue if ink.color else "default")
    if not len(training[0]) + len(validation[0]):
        plotext.scatter([0], [0], marker=" ")
    return _lines(size, ink)


def _axes(end: float, values: Series, size: tuple[int, int]) -> None:
    """Steps from 0 to `end`; values between round numbers that enclose them, 0 and 1 where there are none."""
    width, height = size
    most = int(min(1 + width // 7, end + 1))
    across = [tick for tick in ticks(0.0, end, most) if tick <= end]
    plotext.xlim(0, end)
    plotext.xticks(across, labels(across))
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    up = ticks(low, high, 6 if height >= HEIGHT else 4)
    plotext.ylim(up[0], up[-1])
    plotext.yticks(up, labels(up))


def _lines(size: tuple[int, int], ink: Ink) -> list[str]:
    text = str(plotext.build())
    plotext.clear_figure()
    if not ink.color:
        text = str(plotext.uncolorize(text))
    if not ink.unicode:
        text = text.translate(ASCII)
    return text.rstrip("\n").split("\n")


@dataclass(frozen=True)
class Line:
    """One line of a chart; `hue` as in "#5fafff". A dotted one is told apart without colour too."""

    xs: Sequence[float]
    ys: Sequence[float]
    hue: str
    dotted: bool = False


def lines_chart(
    lines: Sequence[Line], width: int, height: int, *, color: bool = False, unicode: bool = True
) -> list[str]:
    """Lines over the same range of x, y from 0 up: `height` lines of text, each `width` cells wide.

    All values must be finite and y not below 0; the first line is drawn on top. Raises ValueError where
    there is no point.
    """
    ink = Ink(color, unicode)
    plotext.clear_figure()
    plotext.limit_size(False, False)
    plotext.theme("clear")
    plotext.plotsize(width, height)
    _frame([x for line in lines for x in line.xs], max(y for line in lines for y in line.ys), width, height)
    for line in reversed(lines):
        hue = tuple(bytes.fromhex(line.hue[1:])) if color else "default"
        if line.dotted:
            every = max(1, 2 * len(line.xs) // width)
            xs, ys = line.xs[::every], line.ys[::every]
            plotext.scatter(list(xs), list(ys), marker="·" if unicode else ".", color=hue)
        else:
            marker = ink.line if unicode else "*"
            plotext.plot(list(line.xs), list(line.ys), marker=marker, color=hue)
    return _lines((width, height), ink)


def _frame(xs: Sequence[float], top: float, width: int, height: int) -> None:
    """Axes that begin and end with the data across, and with round numbers up."""
    low, high = min(xs), max(xs)
    round_ones = ticks(low, high, max(2, width // 9))
    across = [tick for tick in round_ones if low <= tick <= high]
    plotext.xlim(low, high if high > low else low + 1)
    plotext.xticks(across, labels(across))
    up = ticks(0.0, top, max(2, min(6, height // 2)))
    plotext.ylim(up[0], up[-1])
    plotext.yticks(up, labels(up))

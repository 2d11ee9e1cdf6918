"""Charts that stand still, drawn by plotext; the one module that knows it (pinned to 5.x)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import plotext

from trainconsole.engine.history import Rows

Series = npt.NDArray[np.float64]
Points = npt.NDArray[np.generic]

HEIGHT = 12


def curves(
    rows: Rows, epochs: Sequence[tuple[int, float, float]], metric: str, *, width: int, color: bool
) -> list[str]:
    """Loss and `metric` over steps, side by side: training as a line, validation (step, loss, metric) as
    points. Returns lines of text, at most `width` wide."""
    half = max(30, (width - 2) // 2)
    steps = [step for step, _, _ in epochs]
    left = _chart("loss", rows["step"], rows["loss"], steps, [loss for _, loss, _ in epochs], half, color)
    right = _chart(metric, rows["step"], rows["metric"], steps, [value for *_, value in epochs], half, color)
    return [f"{a}  {b}" for a, b in zip(left, right, strict=False)]


def _chart(
    title: str,
    steps: Points,
    values: Points,
    val_steps: list[int],
    val_values: list[float],
    width: int,
    color: bool,
) -> list[str]:
    plotext.clear_figure()
    plotext.limit_size(False, False)
    plotext.theme("clear")
    plotext.plotsize(width, HEIGHT)
    plotext.title(title)
    x, y = thinned(np.asarray(steps, dtype=float), np.asarray(values, dtype=float), 2 * width)
    plotext.plot(x.tolist(), y.tolist(), marker="braille", color="cyan" if color else "default")
    if val_steps:
        plotext.scatter(val_steps, val_values, marker="o", color="orange" if color else "default")
    text = str(plotext.build())
    if not color:
        text = str(plotext.uncolorize(text))
    return text.rstrip("\n").split("\n")


def thinned(x: Series, y: Series, most: int) -> tuple[Series, Series]:
    """At most `most` points: the mean of each run of neighbours, non-finite values left out."""
    finite = np.isfinite(y)
    x, y = x[finite], y[finite]
    if len(x) <= most:
        return x, y
    edges = np.linspace(0, len(x), most + 1).astype(int)[:-1]
    counts = np.diff(np.append(edges, len(x)))
    return np.add.reduceat(x, edges) / counts, np.add.reduceat(y, edges) / counts

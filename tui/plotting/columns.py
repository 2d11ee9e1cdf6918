"""What a curve shows in a window, reduced to columns of dots: numbers still, no cells. Knows no Textual."""

from dataclasses import dataclass

import numpy as np

from trainconsole.engine.record.metric_rows import Floats, Indices
from trainconsole.tui.plotting.canvas import Dots
from trainconsole.tui.plotting.curves import kind_of
from trainconsole.tui.plotting.view import View, round_number
from trainconsole.tui.state.scene import Scene, Series

PIECES = 12
"""Of what was undone, the newest pieces are drawn."""
SAMPLES = 16
SPARSE = 8
"""Columns of dots for each value of an own number from which on it is drawn as a point."""

Envelope = tuple[Floats, Floats]
"""The smallest and the largest value in each column of dots, (n,) each, NaN where there is none."""


@dataclass(frozen=True)
class Survey:
    """`raw` and `line` (smoothed, or the raw series where nothing is) are envelopes; `bad` are columns with a
    loss that is no number. Points are (x, value), x in columns of dots, `single` those of a series that has
    few; `steps` has the last step up to the end of each column."""

    bounds: tuple[float, float]
    raw: Envelope
    line: Envelope
    smooth: bool
    bad: Dots
    abandoned: tuple[Envelope, ...]
    single: Envelope
    validation: Envelope
    ahead: Envelope
    best: Envelope
    marks: tuple[tuple[float, str, bool], ...]
    steps: Indices
    cursor: float | None

    def extent(self, *, log: bool) -> tuple[float, float] | None:
        """The smallest and the largest value that the axis has to show; what was abandoned may leave it."""
        inside = (self.validation[0] >= 0) & (self.validation[0] < len(self.bad))
        points = self.validation[1][inside]
        values = np.concatenate([*self.raw, points, self.ahead[1]])
        values = values[np.isfinite(values) & (values > 0)] if log else values[np.isfinite(values)]
        return (float(values.min()), float(values.max())) if len(values) else None


def surveyed(scene: Scene, view: View, quantity: str, dots: int) -> Survey:
    """Look at one quantity in `dots` columns. Costs the same for any number of steps."""
    kind, series, bounds = kind_of(quantity), scene.series(quantity), view.bounds(scene.reach(view.axis))
    track, column = series.track, series.column
    axis, edges = scene.edges(view.axis, np.linspace(*bounds, dots + 1), timed=series.timed)
    places = track.places(axis, edges)
    raw = track.reduce(column, places[:-1], places[1:], "extremes")
    window = mean_over(scene, view, quantity)
    envelope = raw.low, raw.high
    ends = np.clip(places[1:] - 1, 0, max(len(track) - 1, 0))
    return Survey(
        bounds=bounds,
        raw=envelope,
        line=_smoothed(series, places, window, raw.low) if window > 1 else envelope,
        smooth=window > 1,
        bad=(places[1:] - places[:-1] > raw.count) & kind.bad,
        abandoned=tuple(
            (piece.low, piece.high) for piece in track.abandoned_envelopes(column, axis, edges, PIECES)
        ),
        single=_single(scene, view, series, (int(places[0]), int(places[-1])), bounds, dots),
        validation=_points(scene, view, _validation(scene, quantity), bounds, dots),
        ahead=_ahead(scene, view, bounds, dots) if kind.ahead else _nothing(),
        best=_points(scene, view, _best(scene, quantity), bounds, dots),
        marks=_marks(scene, view, bounds, dots),
        steps=track.take("step", ends).astype(np.int64) if len(track) else np.zeros(0, np.int64),
        cursor=None if view.cursor is None else float(_columns(scene, view, [view.cursor], bounds, dots)[0]),
    )


def mean_over(scene: Scene, view: View, quantity: str) -> int:
    """The number of rows that one value of the line is the mean of; a learning rate is not smoothed. What is
    logged more seldom than each step is smoothed over as many steps."""
    kind = kind_of(quantity)
    steps = view.mean_over(scene.steps or scene.end) if kind.smoothed else 1
    if not kind.own or steps == 1:
        return steps
    track = scene.series(quantity).track
    if not len(track):
        return steps
    first, last = (track.row(place)["step"] for place in (0, len(track) - 1))
    return round_number(steps * min(len(track) / (last - first + 1), 1.0))


def read(scene: Scene, view: View, quantity: str, step: float) -> float:
    """The value of the line at a step; NaN where there is none."""
    series, window = scene.series(quantity), mean_over(scene, view, quantity)
    track, column = series.track, series.column
    place = int(track.places("step", np.array([step]))[0]) - 1
    if place < 0:
        return float("nan")
    if window == 1:
        value = float(track.take(column, np.array([place]))[0])
        return value if np.isfinite(value) else float("nan")
    return float(track.smoothed(column, np.array([place]), window)[0])


def named(scene: Scene, quantity: str) -> str:
    """The name that validation results have the quantity under."""
    return quantity if kind_of(quantity).title else scene.metric


def _smoothed(series: Series, places: Indices, window: int, raw: Floats) -> Envelope:
    """The smallest and largest trailing mean of each column, NaN where `raw` is: it has no value of its own.

    The means at rows half a window apart stand for all between them, so that no value goes unseen.
    """
    counts = np.diff(places)
    samples = int(np.clip(-(-2 * counts.max(initial=0) // window), 1, SAMPLES))
    back = counts[:, None] * np.arange(samples) // samples
    # Columns without rows ask for the same each time: what is the same is not worked out again.
    at = np.maximum(np.where(counts[:, None] > 0, places[1:, None] - 1 - back, 0), 0)
    means = series.track.smoothed(series.column, at.ravel(), window).reshape(-1, samples)
    means[np.isnan(raw)] = np.nan
    return np.fmin.reduce(means, axis=1), np.fmax.reduce(means, axis=1)


def _single(
    scene: Scene, view: View, series: Series, places: tuple[int, int], bounds: tuple[float, float], dots: int
) -> Envelope:
    """The values of an own number between two places, where they are few."""
    first, last = places
    if series.timed or first >= last or (last - first) * SPARSE > dots:
        return _nothing()
    steps, values = (series.track.take(name, np.arange(first, last)) for name in ("step", series.column))
    return _columns(scene, view, steps.tolist(), bounds, dots), values


def _validation(scene: Scene, quantity: str) -> list[tuple[int, float]]:
    if not kind_of(quantity).validated:
        return []
    name = named(scene, quantity)
    return [(step, values.get(name, np.nan)) for step, values in scene.validation]


def _best(scene: Scene, quantity: str) -> list[tuple[int, float]]:
    best = scene.best
    if best is None or not kind_of(quantity).validated or best[2] != named(scene, quantity):
        return []
    return [best[:2]]


def _ahead(scene: Scene, view: View, bounds: tuple[float, float], dots: int) -> Envelope:
    """The rate to come at each column that it reaches."""
    x, rates = _points(scene, view, list(scene.ahead), bounds, dots)
    if not len(x):
        return _nothing()
    columns = np.arange(dots, dtype=float)
    known = np.interp(columns, np.floor(x), rates, left=np.nan, right=np.nan)
    shown = np.flatnonzero(~np.isnan(known))
    return columns[shown], known[shown]


def _marks(
    scene: Scene, view: View, bounds: tuple[float, float], dots: int
) -> tuple[tuple[float, str, bool], ...]:
    columns = _columns(scene, view, [mark.step for mark in scene.marks], bounds, dots)
    return tuple(
        (float(x), mark.symbol[:1], mark.applied)
        for x, mark in zip(columns, scene.marks, strict=True)
        if 0 <= x < dots
    )


def _points(
    scene: Scene, view: View, points: list[tuple[int, float]], bounds: tuple[float, float], dots: int
) -> Envelope:
    if not points:
        return _nothing()
    return _columns(scene, view, [step for step, _ in points], bounds, dots), np.array(
        [value if value is not None else np.nan for _, value in points], float
    )


def _columns(scene: Scene, view: View, steps: list[int], bounds: tuple[float, float], dots: int) -> Floats:
    """Where steps lie, in columns of dots: as the row of that step does, up to the edge that it is at."""
    x = scene.along(view.axis, np.array(steps, float))
    share = (x - bounds[0]) / (bounds[1] - bounds[0]) * dots
    return np.where(share > 0, np.ceil(share * (1 - 1e-12)) - 1, np.floor(share))


def _nothing() -> Envelope:
    return np.zeros(0), np.zeros(0)

"""A survey drawn into a canvas: what lies over what, and how it looks without colours. Knows no Textual."""

import numpy as np

from trainconsole.engine.record.metric_rows import Floats
from trainconsole.tui.plotting.axes import Limits
from trainconsole.tui.plotting.canvas import Canvas, Pen, dotted, filled, heights, polyline, spans, stippled
from trainconsole.tui.plotting.columns import Envelope, Survey

APART = 4
"""Columns of dots between two points of the validation, at least."""


def plotted(canvas: Canvas, survey: Survey, limits: Limits, *, log: bool, color: bool) -> None:
    """Draw all of a survey, the least important first. Limits of a logarithmic axis are exponents."""
    for x, _, applied in survey.marks:
        if applied:
            _upright(canvas, x, "┊", Pen.MARK)
    for piece in survey.abandoned:
        _band(canvas, piece, survey, limits, Pen.ABANDONED, log=log, pattern=(1, 2))
    if survey.smooth:
        _band(canvas, survey.raw, survey, limits, Pen.RAW, log=log, shade=not color)
    _ahead(canvas, survey, limits, log=log)
    _validation(canvas, survey, limits, log=log)
    _band(canvas, survey.line, survey, limits, Pen.LINE, log=log)
    _points(canvas, survey.single, limits, "●", Pen.LINE, log=log)
    if not crowded(survey):
        _points(canvas, survey.validation, limits, "●", Pen.POINT, log=log)
    _points(canvas, survey.best, limits, "★", Pen.BEST, log=log)
    if survey.cursor is not None:
        _cursor(canvas, survey.cursor)


def crowded(survey: Survey) -> bool:
    """Whether points would touch each other: then a line says more."""
    x, _ = survey.validation
    return len(x) > 2 and float(x[-1] - x[0]) / (len(x) - 1) < APART


def scaled(values: Floats, *, log: bool) -> Floats:
    """Values as heights on the axis: themselves, or exponents of ten, NaN for those that have none."""
    if not log:
        return values
    return np.log10(values, out=np.full(len(values), np.nan), where=values > 0)


def _band(
    canvas: Canvas,
    envelope: Envelope,
    survey: Survey,
    limits: Limits,
    pen: Pen,
    *,
    log: bool,
    shade: bool = False,
    pattern: tuple[int, int] | None = None,
) -> None:
    """All between low and high, without gaps but at what is no number."""
    up = canvas.dots[1]
    low, high = (heights(scaled(side, log=log), *limits, up) for side in envelope)
    dots = filled(*spans(np.where(np.isnan(low), high, low), high, survey.bad), up)
    if shade and not canvas.ascii:
        dots = stippled(dots)
    canvas.draw(dotted(dots, *pattern) if pattern else dots, pen)


def _ahead(canvas: Canvas, survey: Survey, limits: Limits, *, log: bool) -> None:
    """The rate to come, dashed."""
    x, rates = survey.ahead
    if len(x):
        across, up = canvas.dots
        rows = np.full(across, np.nan)
        rows[x.astype(int)] = heights(scaled(rates, log=log), *limits, up)
        line = spans(rows, rows, np.zeros(across, bool))
        canvas.draw(dotted(filled(*line, up), 2, 4), Pen.AHEAD)


def _validation(canvas: Canvas, survey: Survey, limits: Limits, *, log: bool) -> None:
    """A thin line from point to point."""
    across, up = canvas.dots
    x, values = survey.validation
    if not len(x):
        return
    rows = polyline(x, heights(scaled(values, log=log), *limits, up), across)
    line = spans(np.round(rows), np.round(rows), np.zeros(across, bool))
    dots = filled(*line, up)
    canvas.draw(dots if crowded(survey) else dotted(dots, 1, 2), Pen.VALIDATION)


def _points(canvas: Canvas, points: Envelope, limits: Limits, sign: str, pen: Pen, *, log: bool) -> None:
    if not len(points[0]):
        return
    across, up = canvas.dots
    rows = heights(scaled(points[1], log=log), *limits, up)
    for x, row in zip(*(side.tolist() for side in (points[0], rows)), strict=True):
        # A limit is round: the value that it was made for may lie beyond it by its last digit.
        if 0 <= x < across and -1 <= row <= up:
            canvas.put(int(x) // 2, canvas.height - 1 - min(max(int(row), 0), up - 1) // 4, sign, pen)


def _upright(canvas: Canvas, x: float, sign: str, pen: Pen) -> None:
    for row in range(canvas.height):
        canvas.put(int(x) // 2, row, sign, pen)


def _cursor(canvas: Canvas, x: float) -> None:
    """A line from top to bottom; what is read off shows through."""
    column = int(x) // 2
    if 0 <= column < canvas.width:
        for row, pen in enumerate(canvas.pens[:, column].tolist()):
            if pen == Pen.LINE:
                canvas.put(column, row, "┼", Pen.CURSOR)
            elif pen not in (Pen.POINT, Pen.BEST):
                canvas.put(column, row, "│", Pen.CURSOR)

"""What stands upon the border of a curve: name, value, legend or what the cursor reads. Knows no Textual."""

import unicodedata
from functools import lru_cache
from itertools import accumulate

from rich.cells import cell_len

from trainconsole.tui.plotting import axes
from trainconsole.tui.plotting.canvas import BEHIND, Canvas, Pen
from trainconsole.tui.plotting.columns import Survey, mean_over, named, read
from trainconsole.tui.plotting.curves import kind_of
from trainconsole.tui.plotting.view import View
from trainconsole.tui.state.scene import Scene
from trainconsole.tui.text.format import harmless

Text = list[tuple[str, Pen]]


def lettered(sheet: Canvas, scene: Scene, view: View, quantity: str, survey: Survey) -> None:
    """Upon the border: name, value and legend above, what is drawn over what below."""
    width = sheet.width
    left: list[Text] = [
        [(f" {kind_of(quantity).title or harmless(named(scene, quantity))} ", Pen.NAME)],
        [(f" {axes.value(read(scene, view, quantity, scene.done))} ", Pen.VALUE)],
    ]
    right = _readout(scene, view, quantity) if view.cursor is not None else _legend(scene, quantity, survey)
    used = 2
    for text in _fitting(left, width - 4):
        written(sheet, used, 0, text)
        used += _length(text)
    if shown := [part for text in _fitting(right, width - used - 3) for part in text]:
        written(sheet, width - 2 - _length(shown), 0, shown)
    notes = _notes(scene, view, quantity)
    if len(notes) + 6 <= width:
        written(sheet, width - 2 - len(notes), sheet.height - 1, [(notes, Pen.LABEL)])


def _legend(scene: Scene, quantity: str, survey: Survey) -> list[Text]:
    """What the lines are, the most important first."""
    curve = kind_of(quantity)
    known = (
        (curve.train, "━", Pen.LINE, bool(curve.train)),
        ("to come", "┄", Pen.AHEAD, curve.ahead and bool(scene.ahead)),
        ("val", "●", Pen.POINT, bool(len(survey.validation[0]))),
        ("undone", "┄", Pen.ABANDONED, bool(survey.abandoned)),
        ("no number", "\u00d7", Pen.BAD, curve.own and bool(survey.bad.any())),
    )
    return [[(f" {name} ", Pen.LABEL), (f"{sign} ", pen)] for name, sign, pen, shown in known if shown]


def _readout(scene: Scene, view: View, quantity: str) -> list[Text]:
    """What the cursor reads: step, raw and smoothed value, and the validation that is nearest."""
    series, kind = scene.series(quantity), kind_of(quantity)
    row = series.track.at(view.cursor or 0)
    if row is None:
        return []
    found: list[Text] = [
        [(f" step {row['step']:,.0f} ", Pen.CURSOR)],
        [(f" {axes.value(row[series.column])} ", Pen.VALUE)],
    ]
    if kind.smoothed and view.smoothing != "off":
        found.append([(f" mean {axes.value(read(scene, view, quantity, row['step']))} ", Pen.LABEL)])
    if kind.validated and scene.validation:
        step, values = min(scene.validation, key=lambda point: abs(point[0] - row["step"]))
        found.append([(f" val {axes.value(values.get(named(scene, quantity)))} at {step:,} ", Pen.POINT)])
    return found


def _notes(scene: Scene, view: View, quantity: str) -> str:
    """Axis, smoothing and scale."""
    window = mean_over(scene, view, quantity)
    parts = [view.axis, *([f"mean of {window:,}"] if window > 1 else []), *(["log"] if view.log_y else [])]
    return f" {' · '.join(parts)} "


def _fitting(texts: list[Text], room: int) -> list[Text]:
    """As many as there is room for."""
    ends = accumulate(_length(text) for text in texts)
    return [text for text, end in zip(texts, ends, strict=True) if end <= room]


def _length(text: Text) -> int:
    return sum(len(_cells(part)) for part, _ in text)


def written(sheet: Canvas, column: int, row: int, text: Text) -> None:
    """Write into one line from a cell on; there must be room."""
    for part, pen in text:
        cells = _cells(part)
        stop = column + len(cells)
        sheet.chars[row, column:stop] = cells
        sheet.pens[row, column:stop] = pen
        column = stop


@lru_cache(512)
def _cells(text: str) -> tuple[int, ...]:
    """The code point of each cell: one that is two cells wide is followed by BEHIND, and marks that take none
    are left out. Kept: a frame asks for the same."""
    if text.isascii():
        return tuple(text.encode())
    widths = ((ord(char), cell_len(char)) for char in unicodedata.normalize("NFC", text))
    return tuple(code for char, width in widths for code in (char, *[BEHIND] * (width - 1))[:width])

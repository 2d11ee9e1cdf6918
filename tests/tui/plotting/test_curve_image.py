"""A curve cell by cell, without a terminal."""

import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from support.scenes import KINDS, rows, scene

from trainconsole.engine.record.metric_rows import ROW
from trainconsole.engine.runs.branches import Fork
from trainconsole.tui.plotting.canvas import Pen
from trainconsole.tui.plotting.curve_image import GUTTER, Look, pictured
from trainconsole.tui.plotting.curves import CURVES
from trainconsole.tui.plotting.view import View
from trainconsole.tui.state.metric_store import Track
from trainconsole.tui.state.scene import Mark, Scene

RAW = View(smoothing="off")
QUANTITIES = tuple(CURVES)


def text(picture):
    return ["".join(map(chr, row)) for row in picture.chars]


def plain(loss, **fields):
    """A scene of these losses, one a step, and nothing else."""
    read = np.zeros(len(loss), ROW)
    read["step"], read["epoch"], read["loss"] = np.arange(1, len(loss) + 1), 1, loss
    read["time"] = read["step"]
    track = Track()
    track.extend(read, {0: Fork(0, None, 0)})
    return Scene(track, fields.pop("steps", len(loss)), **fields)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_any_scene_in_any_view_and_size_is_drawn_without_a_warning(kind, quantity):
    told = scene(kind)
    views = [View(), View(log_y=True, cursor=1000), View(axis="epoch"), View(axis="time", smoothing="strong")]
    views.append(View().tail(told.reach("step")))
    sizes, looks = (
        ((1, 1), (5, 2), (16, 3), (20, 5), (40, 8), (190, 50)),
        (Look(color=False), Look(ascii=True)),
    )
    ways = [(view, size, Look()) for view in views for size in sizes]
    ways += [(views[0], size, look) for size in sizes for look in looks]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for view, size, look in ways:
            picture = pictured(told, view, quantity, size, look=look)
            assert picture.chars.shape == picture.pens.shape == size[::-1]
            assert (np.diff(picture.steps) >= 0).all()


@pytest.mark.parametrize("width", [30, 84, 130])
def test_a_spike_of_one_step_in_300_000_reaches_its_value(width):
    told = scene("long")
    calm = pictured(told, View(window=(0, 100_000), following=False), "loss", (width, 17))
    picture = pictured(told, View(), "loss", (width, 17))
    assert calm.limits[1] < 9 <= picture.limits[1]
    column = 1 + GUTTER + int(123_456 / 300_000 * (width - 2 - GUTTER))
    high = np.isin(picture.pens[1:6], (Pen.RAW, Pen.LINE))
    assert high[:, column - 1 : column + 2].any()
    assert not np.delete(high, range(column - 1, column + 2), axis=1).any()


def test_rising_losses_rise_cell_by_cell():
    picture = pictured(plain(np.arange(1, 9.0)), RAW, "loss", (1 + GUTTER + 4 + 1, 4))
    assert picture.limits == (0.0, 8.0) or picture.limits == (0.0, 10.0)
    drawn = np.argwhere(picture.pens == Pen.LINE)
    assert drawn[:, 1].min() == 1 + GUTTER
    assert drawn[:, 1].max() == GUTTER + 4
    tops = [drawn[drawn[:, 1] == column, 0].min() for column in sorted(set(drawn[:, 1]))]
    assert tops == sorted(tops, reverse=True)


def test_old_columns_stay_where_they_are_while_the_run_goes_on():
    track, forks = Track(), {0: Fork(0, None, 0)}
    told, pictures, limits = Scene(track, 4690), [], None
    for first in range(1, 4001, 200):
        track.extend(rows(first, first + 199), forks)
        pictures.append(pictured(told, View(), "loss", (100, 20), previous=limits))
        limits = pictures[-1].limits
    body = slice(1, -1)
    for number, (old, new) in enumerate(pairwise(pictures[9:]), start=9):
        settled = 1 + GUTTER + int((number + 1) * 200 / 4690 * (98 - GUTTER)) - 1
        assert old.limits == new.limits
        assert (old.chars[body, :settled] == new.chars[body, :settled]).all()


def test_what_is_no_number_is_a_gap_with_a_mark_on_the_axis():
    loss = np.ones(100)
    loss[40:60] = np.nan
    picture = pictured(plain(loss), RAW, "loss", (2 + GUTTER + 50, 14))
    marks = np.flatnonzero(picture.pens[-3] == Pen.BAD) - 1 - GUTTER
    assert marks.tolist() == list(range(20, 30))
    line = np.flatnonzero((picture.pens == Pen.LINE)[1:-3].any(axis=0)) - 1 - GUTTER
    assert line.tolist() == [*range(20), *range(30, 50)]


def test_a_logarithmic_scale_leaves_out_what_it_cannot_show():
    loss = np.where(np.arange(100) < 50, 0.0, 10.0)
    picture = pictured(plain(loss), replace(RAW, log_y=True), "loss", (2 + GUTTER + 50, 14))
    line = np.flatnonzero((picture.pens == Pen.LINE)[1:-3].any(axis=0)) - 1 - GUTTER
    assert line.tolist() == list(range(25, 50))


def test_commands_stand_on_the_axis_with_their_letter():
    marks = (Mark(30, "o"), Mark(80, "l", applied=False))
    lines = pictured(plain(np.ones(100), marks=marks), RAW, "loss", (2 + GUTTER + 50, 14))
    axis, letters = text(lines)[-3], text(lines)[-2]
    assert letters[axis.index("▲")] == "o"
    assert letters[axis.index("△")] == "l"
    assert (lines.pens == Pen.MARK).any(axis=0).sum() == 1


def test_validation_is_points_on_a_line_and_the_best_is_a_star():
    validation = ((25, {"loss": 0.5}), (75, {"loss": 0.2}), (100, {"loss": None}))
    told = plain(np.ones(100), validation=validation, best=(75, 0.2, "loss"))
    picture = pictured(told, RAW, "loss", (2 + GUTTER + 50, 14))
    assert sum(line.count("●") for line in text(picture)[1:]) == 1
    assert sum(line.count("★") for line in text(picture)[1:]) == 1
    thin = np.flatnonzero((picture.pens == Pen.VALIDATION).any(axis=0)) - 1 - GUTTER
    assert thin.min() >= 12
    assert thin.max() <= 37
    assert not (pictured(told, RAW, "grad_norm", (60, 14)).pens == Pen.POINT).any()


def test_the_rate_to_come_follows_the_rate_so_far():
    told = scene("mid")
    pens = pictured(told, View(), "lr", (84, 17)).pens[1:-3, 1 + GUTTER :]
    so_far, ahead = (np.flatnonzero((pens == pen).any(axis=0)) for pen in (Pen.LINE, Pen.AHEAD))
    assert so_far.max() <= ahead.min()
    assert not (pictured(scene("finished"), View(), "lr", (84, 17)).pens == Pen.AHEAD).any()


def test_what_was_undone_is_drawn_faintly():
    assert (pictured(scene("forked"), View(), "loss", (84, 17)).pens[1:-3] == Pen.ABANDONED).any()
    assert not (pictured(scene("mid"), View(), "loss", (84, 17)).pens == Pen.ABANDONED).any()


def test_the_border_says_what_is_drawn_and_what_the_cursor_reads():
    told = scene("mid")
    lines = text(pictured(told, View(), "metric", (84, 17)))
    assert lines[0].startswith("╭─ accuracy  0.97")
    assert lines[0].endswith("train ━  val ● ─╮")
    assert lines[-1].endswith("step · mean of 100 ─╯")
    lines = text(pictured(told, View(cursor=1500, log_y=True), "loss", (100, 17)))
    row = told.track.at(1500)
    assert f" step 1,500  {row['loss']:.4g} " in lines[0]
    assert "at 1,876" in lines[0]
    assert lines[-1].endswith("step · mean of 100 · log ─╯")
    assert sum("┼" in line for line in lines[1:-3]) == 1


def test_without_colours_the_raw_curve_is_a_shade():
    colored, plain_ = (
        pictured(scene("mid"), View(), "loss", (84, 17), look=Look(color=c)) for c in (True, False)
    )
    full, shade = (
        sum(int(char - 0x2800).bit_count() for char in p.chars[p.pens == Pen.RAW]) for p in (colored, plain_)
    )
    assert 0.3 * full < shade < 0.7 * full


def test_without_braille_there_is_none():
    picture = pictured(scene("mid"), View(), "loss", (84, 17), look=Look(ascii=True))
    assert not ((picture.chars >= 0x2800) & (picture.chars < 0x2900)).any()
    body = slice(1, -3)
    for pen, sign in ((Pen.LINE, "*"), (Pen.RAW, "."), (Pen.VALIDATION, "'")):
        assert {chr(char) for char in picture.chars[body][picture.pens[body] == pen]} == {sign}


def test_limits_are_kept_while_the_data_stay_within():
    picture = pictured(plain(np.linspace(0.5, 1.6, 50)), RAW, "loss", (40, 10), previous=(0.0, 2.0))
    assert picture.limits == (0.0, 2.0)

"""The braille raster, dot by dot."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainconsole.tui.plotting.canvas import Canvas, Pen, dotted, filled, heights, polyline, spans, stippled

NAN = np.nan


def shown(canvas):
    return ["".join(map(chr, row)) for row in canvas.chars]


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 2**32))
def test_every_dot_is_where_braille_has_it(width, height, seed):
    canvas = Canvas(width, height)
    dots = np.random.default_rng(seed).random(canvas.dots[::-1]) < 0.4
    canvas.draw(dots, Pen.LINE)
    order = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1)]
    upright = dots[::-1]
    for row in range(height):
        for column in range(width):
            bits = sum(
                int(upright[4 * row + down, 2 * column + right]) << bit
                for bit, (down, right) in enumerate(order)
            )
            assert canvas.chars[row, column] == (0x2800 + bits if bits else ord(" "))
            assert canvas.pens[row, column] == (Pen.LINE if bits else Pen.BLANK)


def test_the_cell_takes_what_was_drawn_last_and_only_that():
    canvas = Canvas(2, 1)
    canvas.draw(np.ones((4, 4), bool), Pen.RAW)
    line = np.zeros((4, 4), bool)
    line[0, :2] = True
    canvas.draw(line, Pen.LINE)
    assert shown(canvas) == ["⣀⣿"]
    assert canvas.pens.tolist() == [[Pen.LINE, Pen.RAW]]


def test_without_braille_each_pen_has_its_own_sign():
    canvas = Canvas(3, 1, ascii=True)
    canvas.draw(np.ones((4, 6), bool), Pen.RAW)
    line = np.zeros((4, 6), bool)
    line[0, 0] = True
    canvas.draw(line, Pen.LINE)
    canvas.put(2, 0, "o", Pen.POINT)
    assert shown(canvas) == ["*.o"]


def test_what_is_put_outside_is_left_out():
    canvas = Canvas(2, 2)
    for column, row in ((-1, 0), (2, 0), (0, -1), (0, 2)):
        canvas.put(column, row, "x", Pen.MARK)
    assert shown(canvas) == ["  ", "  "]


def test_heights_run_from_the_lowest_dot_to_the_highest():
    found = heights(np.array([0.0, 0.5, 1.0, NAN, -5.0, 5.0]), 0.0, 1.0, 8)
    assert found[:3].tolist() == [0, 4, 7]
    assert np.isnan(found[3])
    assert found[4] < 0
    assert found[5] > 7


@given(st.lists(st.one_of(st.none(), st.integers(0, 11)), min_size=1, max_size=40))
def test_a_line_has_no_gap_between_its_first_and_last_value(values):
    low = np.array([NAN if value is None else value for value in values], float)
    dots = filled(*spans(low, low, np.zeros(len(low), bool)), 12)
    known = np.flatnonzero(~np.isnan(low))
    for column in known:
        assert dots[int(low[column]), column]
    if len(known):
        assert not dots[:, : known[0]].any()
        assert not dots[:, known[-1] + 1 :].any()
        for column in range(known[0], known[-1]):
            here, there = np.flatnonzero(dots[:, column]), np.flatnonzero(dots[:, column + 1])
            assert here.min() - 1 <= there.max()
            assert there.min() - 1 <= here.max()
            assert len(here) == here.max() - here.min() + 1


def test_an_envelope_is_filled_from_its_minimum_to_its_maximum():
    low, high = np.array([1.0, 2.0, 0.0]), np.array([3.0, 2.0, 3.0])
    dots = filled(*spans(low, high, np.zeros(3, bool)), 4)
    assert [np.flatnonzero(dots[:, column]).tolist() for column in range(3)] == [[1, 2, 3], [2], [0, 1, 2, 3]]


def test_what_is_no_number_is_not_crossed():
    low = np.array([2.0, NAN, NAN, NAN, 5.0])
    crossed = filled(*spans(low, low, np.zeros(5, bool)), 8)
    gap = filled(*spans(low, low, np.array([False, False, True, False, False])), 8)
    assert crossed.any(axis=0).all()
    assert gap.any(axis=0).tolist() == [True, False, False, False, True]


def test_nothing_known_draws_nothing():
    assert not filled(*spans(np.full(4, NAN), np.full(4, NAN), np.zeros(4, bool)), 8).any()


def test_points_are_joined_in_a_straight_line_between_the_first_and_the_last():
    found = polyline(np.array([1.0, 5.0]), np.array([0.0, 8.0]), 8)
    assert np.isnan(found[[0, 6, 7]]).all()
    assert found[1:6].tolist() == [0, 2, 4, 6, 8]
    assert np.isnan(polyline(np.zeros(0), np.zeros(0), 3)).all()


@pytest.mark.parametrize(
    ("made", "count"), [(lambda d: dotted(d, 1, 2), 4 * 4), (lambda d: dotted(d, 2, 4), 16), (stippled, 16)]
)
def test_other_line_styles_leave_dots_out(made, count):
    assert made(np.ones((4, 8), bool)).sum() == count

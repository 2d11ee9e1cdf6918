"""How the curves are looked at: every key's effect, and what must hold after any sequence of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainconsole.tui.plotting.view import View, round_number
from trainconsole.tui.state.scene import Reach

RUN = Reach(0.0, 1000.0, 400.0, 8.0)
ZOOMED = View(window=(100.0, 200.0), following=False)
KEYS = {
    "in": lambda view, reach: view.zoomed(0.5, reach),
    "out": lambda view, reach: view.zoomed(2.0, reach),
    "left": lambda view, reach: view.panned(-0.25, reach),
    "right": lambda view, reach: view.panned(0.25, reach),
    "page": lambda view, reach: view.panned(1.0, reach),
    "home": lambda view, reach: view.whole(),
    "end": lambda view, reach: view.tail(reach),
    "cursor": lambda view, reach: view.zoomed(0.5, reach, 333.0),
}


@given(st.lists(st.sampled_from(sorted(KEYS)), max_size=40), st.floats(0, 1000))
def test_whatever_is_pressed_the_window_is_within_the_run(pressed, now):
    reach, view = Reach(0.0, 1000.0, now, 8.0), View()
    for key in pressed:
        view = KEYS[key](view, reach)
        low, high = view.bounds(reach)
        assert low >= -1e-6
        assert 8 - 1e-6 <= high - low <= 1000 + 1e-6
        assert high <= 1000 + (high - low) + 1e-6
        if view.following:
            assert low <= now <= high + 1e-6


def test_at_first_it_shows_the_whole_planned_run():
    assert View().bounds(RUN) == (0.0, 1000.0)
    assert View().panned(0.5, RUN).bounds(RUN) == (0.0, 1000.0)


def test_zooming_a_run_that_is_followed_keeps_the_newest_step_in_sight():
    view = View().zoomed(0.5, RUN).zoomed(0.5, RUN)
    low, high = view.bounds(RUN)
    assert view.following
    assert high - low == 250
    assert low <= 400 <= high


def test_zooming_elsewhere_keeps_the_middle_or_what_is_under_the_cursor():
    assert ZOOMED.zoomed(0.5, RUN).window == (125.0, 175.0)
    assert ZOOMED.zoomed(0.5, RUN, cursor=120.0).window == (110.0, 160.0)
    assert ZOOMED.zoomed(100.0, RUN) == View()


def test_a_window_that_follows_moves_by_jumps():
    view = View(window=(300.0, 400.0))
    bounds = [view.bounds(Reach(0.0, 1000.0, now, 8.0)) for now in range(400, 500)]
    assert len(set(bounds)) == 4
    assert all(high - low == 100 and low < now < high for now, (low, high) in enumerate(bounds, start=400))


def test_panning_stops_at_the_ends_and_follows_again_at_the_newest_step():
    assert ZOOMED.panned(-1.0, RUN).panned(-1.0, RUN).window == (0.0, 100.0)
    assert not ZOOMED.panned(1.0, RUN).following
    there = ZOOMED.panned(1.0, RUN).panned(1.0, RUN).panned(1.0, RUN)
    assert there.following
    assert not there.panned(-0.25, RUN).following
    assert ZOOMED.panned(50.0, RUN).window == (900.0, 1000.0)


def test_the_tail_keeps_the_width_that_was_zoomed_to():
    low, high = ZOOMED.tail(RUN).bounds(RUN)
    assert high - low == 100
    assert low <= 400 <= high
    assert View().tail(RUN).following


def test_the_axes_take_turns_and_start_with_the_whole_run():
    assert [view.axis for view in (ZOOMED.next_axis(), ZOOMED.next_axis().next_axis())] == ["epoch", "time"]
    assert ZOOMED.next_axis().window is None
    assert ZOOMED.next_axis().next_axis().next_axis().axis == "step"


@pytest.mark.parametrize(
    ("smoothing", "steps", "mean"),
    [
        ("off", 5000, 1),
        ("light", 5000, 20),
        ("medium", 5000, 100),
        ("strong", 5000, 200),
        ("strong", 10, 1),
        ("medium", 10_000_000, 200_000),
    ],
)
def test_smoothing_is_a_round_number_of_steps(smoothing, steps, mean):
    assert View(smoothing=smoothing).mean_over(steps) == mean


def test_smoothing_and_scale_take_turns():
    view, seen = View(), []
    for _ in range(4):
        seen.append(view.smoothing)
        view = view.next_smoothing()
    assert seen == ["medium", "strong", "off", "light"]
    assert view == View()
    assert View().toggled_log().log_y
    assert View().toggled_log().toggled_log() == View()


@given(st.floats(1, 1e12))
def test_a_round_number_is_within_a_factor_of_the_one_meant(value):
    number = round_number(value)
    assert str(number).rstrip("0") in ("1", "2", "5")
    assert 0.6 < number / value < 1.6


def test_the_cursor_moves_by_columns_that_show_another_step():
    steps = [0, 0, 10, 20, 20, 30]
    view = View().inspecting(20)
    assert view.moved(1, steps).cursor == 30
    assert view.moved(-1, steps).cursor == 10
    assert view.moved(99, steps).cursor == 30
    assert view.moved(-99, steps).cursor == 0
    assert view.inspecting(25).moved(1, steps).cursor == 30
    assert view.inspecting(25).moved(0, steps).cursor == 20
    assert view.moved(1, []) == view
    assert View().moved(1, steps).cursor is None
    assert view.inspecting(None) == View()

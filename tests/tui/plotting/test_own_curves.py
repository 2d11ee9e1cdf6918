"""Own numbers as cells: few and many, with gaps, under any name; and which curves a run shows."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from support import run_models
from support.scenes import STEPS, rows, scene

from trainconsole.engine.record.scalars import SCALAR
from trainconsole.engine.runs.branches import Fork
from trainconsole.tui.plotting import choice
from trainconsole.tui.plotting.canvas import BEHIND, Pen
from trainconsole.tui.plotting.curve_image import GUTTER, Look, Picture, pictured
from trainconsole.tui.plotting.curves import placed
from trainconsole.tui.plotting.view import View
from trainconsole.tui.state.metric_store import Track
from trainconsole.tui.state.own_numbers import OwnNumbers, key_of
from trainconsole.tui.state.scene import Scene

RAW = View(smoothing="off")
FORKS = {0: Fork(0, None, 0)}


def logged(values: list[float], every: int = 1, name: str = "a", done: int = 2000) -> Scene:
    """A run of `done` steps of STEPS that logged `values`, one each `every` steps from step 0 on."""
    track, own, made = Track(), OwnNumbers(FORKS), np.zeros(len(values), SCALAR)
    track.extend(rows(1, done), FORKS)
    made["step"], made["value"] = np.arange(len(values)) * every, values
    own.take([(name, made)] if values else [])
    return Scene(track, STEPS, epochs=5, own=own)


def text(picture: Picture) -> list[str]:
    return ["".join(map(chr, row)) for row in picture.chars]


def points(picture: Picture) -> int:
    return sum(line.count("●") for line in text(picture)[1:-1])


@pytest.mark.parametrize("values", [[], [0.5], [np.nan], [np.inf, -np.inf], [-1.0, 1e38, 0], [*range(2000)]])
@pytest.mark.parametrize("axis", ["step", "epoch", "time"])
def test_any_numbers_in_any_view_are_drawn_without_a_warning(values: list[float], axis: str) -> None:
    told = logged(values)
    view = replace(View(), axis=axis)  # type: ignore[arg-type]
    views = [
        view,
        replace(view, log_y=True, cursor=3),
        view.tail(told.reach(view.axis)),
        View().inspecting(0),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seen in views:
            for size in ((1, 1), (5, 2), (20, 5), (84, 17), (190, 50)):
                picture = pictured(told, seen, key_of("a"), size, look=Look(ascii=size[0] == 20))
                assert picture.chars.shape == size[::-1]
                assert (np.diff(picture.steps) >= 0).all()


@pytest.mark.parametrize("view", [View(), RAW, View(axis="epoch"), View(axis="time")])
@pytest.mark.parametrize("count", [1, 5])
def test_few_numbers_are_points(view: View, count: int) -> None:
    picture = pictured(logged([0.3, 0.4, 0.5, 0.45, 0.6][:count], 400), view, key_of("a"), (84, 17))
    assert points(picture) == count
    assert (picture.pens[1:-3] == Pen.LINE).sum() >= count


def test_many_are_a_line_with_the_range_behind_it() -> None:
    noisy = np.random.default_rng(0).normal(0, 1, 2000).tolist()
    picture = pictured(logged(noisy), View(), key_of("a"), (84, 17))
    assert points(picture) == 0
    assert {Pen.LINE, Pen.RAW} <= set(picture.pens.ravel().tolist())
    assert text(picture)[-1].endswith("step · mean of 100 ─╯")
    tenth = pictured(logged(noisy[:200], 10), View(), key_of("a"), (84, 17))
    assert text(tenth)[-1].endswith("step · mean of 10 ─╯")


def test_what_is_no_number_is_a_gap_that_is_marked_and_told_of() -> None:
    values = np.ones(2000)
    values[400:800] = np.nan
    picture = pictured(logged(values.tolist()), RAW, key_of("a"), (84, 17))
    marks = np.flatnonzero(picture.pens[-3] == Pen.BAD)
    drawn = np.flatnonzero((picture.pens[1:-3] == Pen.LINE).any(axis=0))
    assert len(marks) > 4
    assert not set(drawn.tolist()) & set(marks[1:-1].tolist())
    assert text(picture)[0].endswith("no number \u00d7 ─╮")
    assert "no number" not in text(pictured(logged([1.0] * 9), RAW, key_of("a"), (84, 17)))[0]


def test_a_spike_in_a_million_reaches_its_value() -> None:
    values = np.zeros(1_000_000)
    values[123_456] = 9.0
    told = replace(logged(values.tolist(), done=1), steps=1_000_000)
    assert pictured(told, View(), key_of("a"), (84, 17)).limits[1] >= 9


def test_the_border_says_name_and_value_and_what_the_cursor_reads() -> None:
    told = logged([0.25, 0.5, 0.75], 500, name="val/f1")
    assert text(pictured(told, View(), key_of("val/f1"), (84, 17)))[0].startswith("╭─ val/f1  0.75 ")
    line = text(pictured(told, View(cursor=700), key_of("val/f1"), (84, 17)))[0]
    assert " step 500  0.5 " in line


def test_names_of_wide_signs_keep_their_cells() -> None:
    picture = pictured(logged([1.0], name="犬e\u0301x"), View(), key_of("犬e\u0301x"), (60, 12))
    assert picture.chars[0].tolist()[3:7] == [ord("犬"), BEHIND, ord("é"), ord("x")]


def test_own_numbers_take_the_place_of_what_is_never_measured() -> None:
    full = replace(scene("mid"), own=logged([1.0]).own)
    assert choice.usual(full) == ("loss", "metric", "lr", "grad_norm")
    assert choice.usual(None) == ("loss", "metric", "lr")
    assert choice.usual(run_models.own().scene()) == ("loss", "lr", "own:reward", "own:eval/f1")
    nothing = run_models.own()
    nothing.track = Track()
    assert choice.usual(nothing.scene()) == ("own:reward", "own:eval/f1")


def test_a_metric_that_validation_measures_stays() -> None:
    told = replace(run_models.own().scene(), validation=((200, {"accuracy": 0.5}),))
    assert choice.usual(told) == ("loss", "metric", "lr", "own:reward")


def test_what_was_chosen_is_shown_as_far_as_the_run_has_it() -> None:
    told = run_models.own().scene()
    assert choice.shown(told, ("own:reward", "own:other", "lr", "bogus")) == ("own:reward", "lr")
    assert choice.shown(told, ("own:other",)) == choice.usual(told)
    assert len(choice.shown(told, choice.offered(told))) == 4
    assert choice.shown(None, ("own:a",)) == choice.usual(None)


@pytest.mark.parametrize(
    ("names", "above", "below"),
    [
        (("loss", "metric", "lr", "grad_norm"), ("loss", "metric"), ("lr", "grad_norm")),
        (("lr", "own:a", "own:b", "own:c"), ("own:a", "own:b"), ("lr", "own:c")),
        (("own:a",), ("own:a",), ()),
        (("lr", "grad_norm"), ("lr", "grad_norm"), ()),
        (("lr", "loss", "grad_norm"), ("loss",), ("lr", "grad_norm")),
        (("own:a", "own:b", "own:c", "own:d"), ("own:a", "own:b"), ("own:c", "own:d")),
    ],
)
def test_each_curve_has_a_place(names, above, below) -> None:
    assert placed(names) == (above, below)


def test_the_gutter_is_where_it_was() -> None:
    picture = pictured(logged([1.0]), View(), key_of("a"), (84, 17))
    assert chr(picture.chars[-3, GUTTER]) == "└"

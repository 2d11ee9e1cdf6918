"""Own numbers as the console keeps them: those in force, as they come, whatever is forked meanwhile."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.scenes import rows

from trainconsole.engine.record.scalars import SCALAR
from trainconsole.engine.runs.branches import Fork, among, spans
from trainconsole.tui.state.metric_store import Track
from trainconsole.tui.state.own_numbers import VALUE, OwnNumbers, is_own, key_of, name_of
from trainconsole.tui.state.scene import Scene


def records(steps: list[int], branch: int = 0, value: float = 1.0) -> np.ndarray:
    made = np.zeros(len(steps), SCALAR)
    made["step"], made["branch"], made["value"] = steps, branch, value
    return made


def steps(own: OwnNumbers, name: str = "a") -> list[int]:
    return own.track(name).column("step").tolist()


def test_what_was_undone_is_abandoned_once_the_fork_is_known() -> None:
    forks = {0: Fork(0, None, 0)}
    own = OwnNumbers(forks)
    own.take([("a", records([0, 5, 10])), ("b", records([10]))])
    assert (steps(own), steps(own, "b")) == ([0, 5, 10], [10])
    own.take([("a", records([5, 6], branch=1))])
    assert steps(own) == [0, 5, 10]
    forks[1] = Fork(1, 0, 5)
    assert (steps(own), steps(own, "b")) == ([0, 5, 5, 6], [])
    assert len(own.track("a").abandoned) == 1
    assert own.keys == ("own:a", "own:b")
    assert steps(own, "never logged") == []


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 30)), max_size=5),
    st.lists(st.lists(st.integers(0, 12), max_size=6).map(sorted), min_size=1, max_size=6),
)
def test_a_track_has_in_force_what_the_record_has(
    cuts: list[tuple[int, int]], parts: list[list[int]]
) -> None:
    forks = {0: Fork(0, None, 0)}
    for number, (step, parent) in enumerate(cuts, start=1):
        forks[number] = Fork(number, parent % number, step)
    every = [records(part, branch) for branch, part in enumerate(parts)]
    own = OwnNumbers(forks)
    for part in every:
        own.take([("a", part)] if len(part) else [])
    whole = np.concatenate(every)
    assert steps(own) == whole["step"][among(whole, spans(forks), at_fork=True)].tolist()


@pytest.mark.parametrize("axis", ["step", "epoch", "time"])
def test_each_record_lies_where_the_row_of_its_step_does(axis: str) -> None:
    track, forks = Track(), {0: Fork(0, None, 0)}
    track.extend(rows(1, 3000), forks)
    own = OwnNumbers(forks)
    own.take([("a", records([*range(0, 3001, 10)]))])
    scene = Scene(track, 4690, own=own)
    reach = scene.reach(axis)  # type: ignore[arg-type]
    marks = np.linspace(reach.low, reach.high, 50)
    series = scene.series(key_of("a"))
    where, edges = scene.edges(axis, marks, timed=False)  # type: ignore[arg-type]
    found = series.track.places(where, edges)
    assert (found[0], found[-1]) == (0, 301)
    where, edges = scene.edges(axis, marks)  # type: ignore[arg-type]
    assert np.abs((found - 1) * 10 - track.places(where, edges)).max() <= 10


def test_a_run_without_rows_is_as_long_as_its_numbers() -> None:
    own = OwnNumbers({0: Fork(0, None, 0)})
    own.take([("a", records([0, 700]))])
    scene = Scene(Track(), 1, own=own)
    assert (scene.done, scene.end) == (700, 700)
    where, edges = scene.edges("time", np.array([0.0, 350.0, 700.0]), timed=False)
    assert own.track("a").places(where, edges).tolist() == [0, 1, 2]


def test_a_million_records_are_reduced_not_scanned() -> None:
    own = OwnNumbers({0: Fork(0, None, 0)})
    many = records([])
    many = np.zeros(1_000_000, SCALAR)
    many["step"] = np.arange(1_000_000)
    many["value"][777_777] = 5.0
    own.take([("a", many)])
    track = own.track("a")
    places = track.places("step", np.linspace(-1, 1_000_000, 101))
    high = track.reduce(VALUE, places[:-1], places[1:], "extremes").high
    assert np.flatnonzero(high == 5.0).tolist() == [77]
    assert len(track._pyramids[VALUE]._levels) > 2


def test_a_key_is_no_column() -> None:
    assert is_own(key_of("loss"))
    assert not is_own("loss")
    assert name_of(key_of("own:x")) == "own:x"

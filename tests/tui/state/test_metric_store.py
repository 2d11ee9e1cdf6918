"""What was read of a run's rows, against the slow and obvious way to say it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainconsole.engine.protocol.events import Branched
from trainconsole.engine.record.metric_rows import ROW
from trainconsole.engine.runs import branches
from trainconsole.engine.runs.branches import Fork
from trainconsole.tui.state.metric_store import Track

START = {0: Fork(0, None, 0)}


def made(first, count, branch=0, *, per_epoch=10, seed=0):
    rng = np.random.default_rng(seed + branch)
    rows = np.zeros(count, ROW)
    rows["step"] = np.arange(first, first + count)
    rows["branch"] = branch
    rows["epoch"] = 1 + (rows["step"] - 1) // per_epoch
    rows["time"] = rows["step"] * 0.5
    for name in ("loss", "metric", "grad_norm"):
        rows[name] = rng.normal(size=count)
        rows[name][rng.random(count) < 0.1] = rng.choice([np.nan, np.inf, -np.inf])
    rows["lr"] = 0.1
    return rows


@st.composite
def runs(draw):
    """Rows of a run with undos of undos, and its `branched` events."""
    parts, events, lengths = [], [], {0: (0, draw(st.integers(0, 40)))}
    parts.append(made(1, lengths[0][1]))
    for branch in range(1, draw(st.integers(1, 6))):
        parent = draw(st.integers(0, branch - 1))
        at = draw(st.integers(*lengths[parent]))
        lengths[branch] = (at, at + draw(st.integers(0, 40)))
        events.append(Branched(parent=parent, at_step=at, why="undo", branch=branch, step=at))
        parts.append(made(at + 1, lengths[branch][1] - at, branch))
    return np.concatenate(parts), events


def same(track, rows, events):
    wanted = branches.in_force(rows, events)
    assert len(track) == len(wanted)
    for name in ("step", "time", "loss", "metric", "lr", "grad_norm"):
        np.testing.assert_array_equal(track.column(name), wanted[name])
        np.testing.assert_array_equal(track.take(name, np.arange(len(track))), wanted[name].astype(float))
    numbers, steps = track.epochs()
    expected = [np.flatnonzero(wanted["epoch"] == number)[0] for number in np.unique(wanted["epoch"])]
    assert numbers.tolist() == np.unique(wanted["epoch"]).tolist()
    assert steps.tolist() == wanted["step"][expected].tolist()
    return wanted


@given(runs(), st.integers(1, 50))
@settings(deadline=None)
def test_the_curve_in_force_is_the_one_of_the_record_however_it_was_read(run, size):
    rows, events = run
    track = Track()
    for start in range(0, len(rows), size):
        track.extend(rows[start : start + size], branches.forks(events))
    track.extend(rows[:0], branches.forks(events))
    wanted = same(track, rows, events)
    lost = sum(stop - start for start, stop in track.abandoned)
    assert lost == len(rows) - len(wanted)
    if len(wanted):
        assert track.last["step"] == wanted[-1]["step"]
        assert track.last["epoch"] == wanted[-1]["epoch"]


@given(runs(), st.lists(st.floats(-5, 90), min_size=2, max_size=30), st.sampled_from(["step", "time"]))
@settings(deadline=None)
def test_the_envelope_is_the_minimum_and_maximum_between_two_edges(run, edges, axis):
    rows, events = run
    track = Track()
    track.extend(rows, branches.forks(events))
    wanted, edges = branches.in_force(rows, events), np.sort(edges)
    found = track.envelope("loss", axis, edges)
    for index, (low, high) in enumerate(pairwise(edges)):
        inside = wanted["loss"][(wanted[axis] > low) & (wanted[axis] <= high)]
        finite = inside[np.isfinite(inside)]
        assert found.count[index] == len(finite)
        if len(finite):
            assert (found.low[index], found.high[index]) == (finite.min(), finite.max())
        else:
            assert np.isnan([found.low[index], found.high[index]]).all()


@given(runs(), st.integers(1, 60))
@settings(deadline=None)
def test_smoothing_is_the_trailing_mean_of_the_raw_series(run, window):
    rows, events = run
    track = Track()
    track.extend(rows, branches.forks(events))
    loss = branches.in_force(rows, events)["loss"].astype(float)
    found = track.smoothed("loss", np.arange(len(loss)), window)
    for index in range(len(loss)):
        part = loss[max(0, index + 1 - window) : index + 1]
        part = part[np.isfinite(part)]
        np.testing.assert_allclose(found[index], part.mean() if len(part) else np.nan, atol=1e-12)


def test_the_mean_over_ten_thousand_of_a_million_is_exact_at_the_far_end_too():
    rows = np.zeros(1_000_000, ROW)
    rows["step"] = np.arange(1, len(rows) + 1)
    rows["loss"] = np.random.default_rng(0).normal(1.0, 0.1, len(rows))
    rows["loss"][1000] = 3e38
    track = Track()
    track.extend(rows, START)
    exact = rows["loss"][-10_000:].mean(dtype=np.longdouble)
    assert abs(track.smoothed("loss", np.array([len(rows) - 1]), 10_000)[0] - exact) < 1e-14


def test_a_row_is_found_by_its_step():
    track = Track()
    track.extend(made(1, 25), START)
    assert track.at(0) is None
    assert [track.at(step)["step"] for step in (1, 7.9, 25, 99)] == [1, 7, 25, 25]
    assert [track.at(step)["epoch"] for step in (10, 11, 25)] == [1, 2, 3]
    with pytest.raises(IndexError):
        track.row(25)


def test_a_track_without_rows_has_no_last_row_and_an_empty_envelope():
    track = Track()
    assert (len(track), track.last, track.version) == (0, None, 0)
    assert not track.envelope("loss", "step", np.linspace(0, 10, 5)).count.any()
    assert track.column("loss").shape == (0,)


def test_the_version_changes_with_what_is_drawn_and_only_then():
    track = Track()
    track.extend(made(1, 20), START)
    track.extend(made(1, 0), START)
    assert track.version == 1
    forks = START | {1: Fork(1, 0, 5)}
    track.extend(made(1, 0), forks)
    assert (track.version, len(track), track.abandoned) == (2, 5, ((5, 20),))
    track.extend(made(6, 3, 1), forks)
    assert (track.version, track.last["step"]) == (3, 8)


def test_the_one_branch_of_a_long_run_is_not_copied():
    track = Track()
    track.extend(made(1, 100), START)
    assert np.shares_memory(track.column("loss"), track.column("loss"))


def test_what_was_undone_can_be_drawn_beside_the_curve():
    track = Track()
    track.extend(made(1, 20), START)
    track.extend(made(11, 5, 1), START | {1: Fork(1, 0, 10)})
    (lost,) = track.abandoned_envelopes("lr", "step", np.array([0.0, 10.0, 20.0]), 9)
    assert lost.count.tolist() == [0, 10]
    assert track.abandoned_envelopes("lr", "step", np.array([0.0, 10.0]), 9) == []

"""Where steps lie along each axis."""

from dataclasses import replace

import numpy as np
import pytest
from support.scenes import KINDS, PER_EPOCH, SINCE, STEPS, scene

from trainconsole.tui.state.scene import AXES


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axis", AXES)
def test_every_axis_spans_the_planned_run_and_rises(kind, axis):
    told = scene(kind)
    reach = told.reach(axis)
    x = told.along(axis, np.linspace(0, told.end, 50))
    assert x[0] == reach.low == 0
    assert (np.diff(x) > 0).all()
    assert reach.low <= reach.now <= reach.high
    assert reach.high >= x[-1] * (1 - 1e-9)
    assert 0 < reach.least <= reach.high


def test_an_epoch_is_exact_where_it_began():
    told = scene("mid")
    assert told.along("epoch", np.array([0.0, PER_EPOCH, 2 * PER_EPOCH, STEPS])).tolist() == [0, 1, 2, 5]
    column, steps = told.edges("epoch", np.array([1.0, 1.5]))
    assert column == "step"
    assert steps.tolist() == [PER_EPOCH, 1.5 * PER_EPOCH]
    assert replace(told, epochs=0.0).reach("epoch").high == pytest.approx(5)


def test_time_is_the_recorded_one_and_goes_on_at_the_mean_pace():
    told = scene("mid")
    assert told.along("time", np.array([0.0, 100.0, 4000.0])) == pytest.approx([0, 100 * SINCE, 4000 * SINCE])


def test_a_guessed_length_of_time_keeps_still():
    told = scene("mid")
    slower = replace(told, steps=told.steps + 5)
    assert told.reach("time").high == slower.reach("time").high == 6


def test_a_run_that_was_stopped_is_as_long_as_it_was():
    told = scene("mid")
    assert told.end == STEPS
    assert replace(told, stage="finished").end == told.done
    assert replace(told, stage="interrupted").end == STEPS

"""A rate changed now moves what is still to come: that is said where the rate will be higher than now."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.plans import at
from support.statuses import status

from trainconsole.engine.config.schedules import (
    AnySchedule,
    Constant,
    Cosine,
    CosineRestarts,
    Linear,
    OneCycle,
    Polynomial,
    ReduceOnPlateau,
)
from trainconsole.engine.protocol.grammar import parse
from trainconsole.engine.schedule import rate_ahead
from trainconsole.engine.schedule.rate_plan import Plan, change, rate, set_rate, start, stretch
from trainconsole.tui.forms.optimizer_preview import effects

SCHEDULES: list[AnySchedule] = [
    Constant(),
    Constant(warmup=20),
    Cosine(),
    Cosine(warmup=30),
    CosineRestarts(T_0=25, unit="step"),
    Linear(start_factor=0.2, end_factor=1.0),
    Polynomial(),
    OneCycle(),
    OneCycle(pct_start=0.7, warmup=5),
    ReduceOnPlateau(),
]


def highest(plan: Plan, now: int, end: int) -> float:
    return max((rate(plan, at(step)) for step in range(now, end)), default=0.0)


@given(st.sampled_from(SCHEDULES), st.integers(0, 190), st.integers(0, 190), st.integers(120, 400))
def test_it_is_said_just_where_the_rate_will_be_higher(schedule, first, second, end):
    begun, now = sorted((first, second))
    end = max(end, now + 1)
    plan = change(start(Constant(), 0.04, at(0), at(200)), schedule, at(begun), at(200))
    try:
        plan = set_rate(plan, 0.01, at(now))
    except ValueError:
        return
    plan = stretch(plan, at(now), at(end))
    said, most = rate_ahead.rises(plan, at(now), at(end)), highest(plan, now, end)
    assert bool(said) == (most > rate_ahead.CLEARLY * rate(plan, at(now)))
    if said:
        value, when = re.fullmatch(r"rises to (\S+) at step (\d+)", said).groups()
        assert float(value) == pytest.approx(most, rel=0.01)
        assert rate(plan, at(int(when))) == pytest.approx(most, rel=0.01)


def test_by_epochs():
    plan = start(Cosine(warmup=2, unit="epoch"), 0.04, at(0), at(200))
    assert rate_ahead.rises(plan, at(5), at(200)) == "rises to 0.04 at epoch 2"


def test_a_swap_in_a_rising_cycle_says_where_it_leads():
    seen = status(schedule=OneCycle(), step=20)
    said = dict(effects(seen, parse("optimizer sgd lr=0.02")))["rate"]
    assert re.search(r"as given; the schedule rises to 0\.\d+ at step \d+$", said)
    said = dict(effects(seen, parse("optimizer sgd")))["rate"]
    assert re.search(r"by the one_cycle schedule, which rises to 0\.\d+ at step \d+$", said)

import math
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.plans import BASE, at, begin

from trainconsole.engine.config.schedules import (
    AnySchedule,
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    Linear,
    MultiStep,
    OneCycle,
    Polynomial,
    ReduceOnPlateau,
    Staircase,
    StepDecay,
)
from trainconsole.engine.schedule.rate_plan import (
    Plan,
    Plateau,
    Position,
    change,
    observe,
    rate,
    set_rate,
    start,
    stretch,
)


def test_a_change_at_the_very_end_takes_the_room_of_a_longer_run() -> None:
    plan = change(begin(Constant()), Cosine(), at(200), at(200))
    longer = stretch(plan, at(200), at(300))
    assert rate(longer, at(200)) == BASE
    assert rate(longer, at(250)) == pytest.approx(BASE / 2)


def test_a_run_that_ends_at_once_is_left_alone() -> None:
    plan = begin(Cosine())
    assert stretch(plan, at(120), at(120)) is plan
    assert rate(stretch(plan, at(120), at(100)), at(120)) == rate(plan, at(120))


COUNTS = st.integers(1, 500)
POSITIVE = st.floats(1e-12, 1e12)
MILESTONES = st.sets(COUNTS, min_size=1, max_size=5).map(lambda found: tuple(sorted(found)))
COMMON = {
    "unit": st.sampled_from(["step", "epoch"]),
    "warmup": st.just(0.0) | st.floats(0, 300),
    "warmup_factor": st.floats(1e-3, 1),
}
PARAMETERS = {
    Constant: {},
    StepDecay: {"step_size": COUNTS, "gamma": POSITIVE},
    MultiStep: {"milestones": MILESTONES, "gamma": POSITIVE},
    Staircase: {"step_size": COUNTS, "gamma": POSITIVE},
    Exponential: {"gamma": POSITIVE},
    Linear: {"start_factor": POSITIVE, "end_factor": st.floats(0, 1e9), "total_iters": st.none() | COUNTS},
    Polynomial: {"power": POSITIVE, "total_iters": st.none() | COUNTS},
    Cosine: {"T_max": st.none() | COUNTS, "eta_min": st.floats(0, 10)},
    CosineRestarts: {"T_0": COUNTS, "T_mult": st.integers(1, 4), "eta_min": st.floats(0, 10)},
    OneCycle: {
        "max_lr": st.none() | st.floats(1e-9, 100),
        "total_steps": st.none() | st.integers(2, 500),
        "pct_start": st.floats(0.001, 0.999),
        "anneal_strategy": st.sampled_from(["cos", "linear"]),
        "div_factor": st.floats(1, 1e6),
        "final_div_factor": st.floats(1, 1e6),
    },
    ReduceOnPlateau: {"factor": st.floats(0.01, 0.99), "patience": st.integers(0, 3)},
}
SCHEDULES = st.one_of([st.builds(kind, **COMMON, **given) for kind, given in PARAMETERS.items()])
POINTS = st.lists(st.integers(0, 1000), min_size=5, max_size=5).map(sorted)
RATES = st.floats(1e-9, 100)


@given(SCHEDULES, SCHEDULES, RATES, RATES, POINTS, st.sampled_from([1, 7, 30]))
def test_any_course_of_commands(
    first: AnySchedule, second: AnySchedule, base: float, hand: float, points: list[int], per_epoch: int
) -> None:
    where = [Position(step, step / per_epoch) for step in points]
    origin, middle, later, end, longer = where
    begun = start(first, base, origin, end)
    changed = change(begun, second, middle, end)
    stretched = stretch(changed, later, longer)
    for plan in (begun, changed, stretched):
        for here in where:
            assert 0 <= rate(plan, here) < math.inf
    assert rate(stretched, later) == pytest.approx(rate(changed, later), rel=1e-6, abs=1e-300)
    try:
        steered = set_rate(stretched, hand, later)
    except ValueError:
        assert rate(stretched, later) < 1e-200
    else:
        assert abs(rate(steered, later) - hand) <= math.ulp(hand)
    assert start(first, base, origin, end) == begun


@given(SCHEDULES, RATES, st.lists(st.floats(), max_size=8))
def test_a_plan_survives_a_checkpoint(schedule: AnySchedule, base: float, metrics: list[float]) -> None:
    plan = stretch(start(schedule, base, at(3), at(90)), at(40), at(140))
    for metric in metrics:
        plan = observe(plan, metric, at(100), maximise=True)
    assert msgspec.convert(msgspec.to_builtins(plan), Plan) == plan
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


def test_a_new_plan_has_no_history() -> None:
    plan = begin(ReduceOnPlateau())
    assert (plan.scale, plan.slope, plan.plateau) == (1.0, 1.0, Plateau())


def test_schedules_need_no_torch() -> None:
    code = "import sys, trainconsole.engine.schedule.rate_plan; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

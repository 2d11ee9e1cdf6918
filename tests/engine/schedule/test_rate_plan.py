"""Plans: hand-set rates, changes of schedule, optimizer and length, and what must always hold."""

import math

import msgspec
import pytest
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
    Position,
    change,
    peak,
    rate,
    rebase,
    set_rate,
    start,
    stretch,
)


def rates(plan: Plan, steps: range) -> list[float]:
    return [rate(plan, at(step)) for step in steps]


SMOOTH: list[AnySchedule] = [Linear(), Polynomial(power=2.0), Cosine(eta_min=1e-4), OneCycle()]
EXPLICIT: list[AnySchedule] = [
    Constant(),
    StepDecay(),
    MultiStep(milestones=(3, 8)),
    Staircase(),
    Exponential(),
    Linear(total_iters=100),
    Polynomial(total_iters=100),
    Cosine(T_max=100),
    CosineRestarts(),
    OneCycle(total_steps=100),
    ReduceOnPlateau(),
]
ALL = SMOOTH + EXPLICIT


def name(schedule: AnySchedule) -> str:
    return type(schedule).__name__


@pytest.mark.parametrize("schedule", ALL, ids=name)
def test_after_a_hand_set_rate_the_curve_is_multiplied(schedule: AnySchedule) -> None:
    plan = begin(schedule)
    hand = set_rate(plan, 0.0123, at(60))
    assert rate(hand, at(60)) == pytest.approx(0.0123, rel=2e-16)
    factor = 0.0123 / rate(plan, at(60))
    expected = [factor * value for value in rates(plan, range(60, 200))]
    assert rates(hand, range(60, 200)) == pytest.approx(expected, rel=1e-12)


def test_a_hand_set_rate_is_not_multiplied_with_the_one_before() -> None:
    plan = set_rate(set_rate(begin(Cosine()), 5.0, at(10)), 0.01, at(20))
    assert rate(plan, at(20)) == 0.01


@pytest.mark.parametrize("value", [0.0, -1.0, 100.5, math.nan, math.inf])
def test_a_rate_out_of_range_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="above 0 and at most 100"):
        set_rate(begin(Constant()), value, at(3))


def test_a_curve_at_zero_cannot_be_scaled() -> None:
    with pytest.raises(ValueError, match="polynomial schedule is at 0 here: change the schedule first"):
        set_rate(begin(Polynomial(total_iters=5)), 0.1, at(9))
    with pytest.raises(ValueError, match="out of reach"):
        set_rate(begin(Polynomial(total_iters=10, power=310.0)), 0.1, at(9))


def test_after_a_rate_below_the_floats_is_refused_the_plan_is_as_before() -> None:
    plan = set_rate(begin(Cosine()), 0.02, at(50))
    with pytest.raises(ValueError, match="out of reach"):
        set_rate(start(Constant(), 90.0, at(0), at(9)), 5e-324, at(3))
    assert rate(plan, at(50)) == 0.02


@pytest.mark.parametrize("new", ALL, ids=name)
@pytest.mark.parametrize("old", [Cosine(), StepDecay(step_size=3), OneCycle()], ids=name)
def test_a_change_keeps_the_rate_in_force(old: AnySchedule, new: AnySchedule) -> None:
    """A cycle begins below it, and has it for its peak."""
    plan = set_rate(begin(old), 0.07, at(30))
    before = rate(plan, at(55))
    after = change(plan, new, at(55), at(200))
    share = 1 / new.div_factor if isinstance(new, OneCycle) else 1.0
    assert rate(after, at(55)) == pytest.approx(before * share, rel=3e-16)


def test_a_change_shapes_what_remains() -> None:
    plan = change(begin(Constant()), Cosine(), at(100), at(200))
    assert rate(plan, at(150)) == pytest.approx(BASE / 2)
    assert rate(plan, at(200)) == 0.0
    in_epochs = change(begin(Constant()), Linear(unit="epoch"), at(105), at(200))
    assert rate(in_epochs, at(200)) == 0.0
    assert rate(in_epochs, at(124)) == pytest.approx(BASE * 0.8)


def test_a_change_in_mid_epoch_counts_stairs_from_that_epoch() -> None:
    plan = change(begin(Constant()), StepDecay(step_size=2, gamma=0.5), at(105), at(200))
    assert rates(plan, range(105, 120)) == [BASE] * 15
    assert rates(plan, range(120, 140)) == [BASE / 2] * 20


@pytest.mark.parametrize("per_epoch", [3, 7, 10, 29])
def test_a_restart_counted_from_mid_epoch_comes_on_its_step(per_epoch: int) -> None:
    where = [Position(step, step / per_epoch) for step in range(8 * per_epoch)]
    for first in range(per_epoch):
        plan = start(CosineRestarts(T_0=2), BASE, where[first], where[-1])
        restarts = [here.step for here in where[first:] if rate(plan, here) == BASE]
        assert restarts == list(range(first, len(where), 2 * per_epoch))


def test_a_warmup_rises_to_the_rate_in_force() -> None:
    plan = change(begin(Constant()), Cosine(warmup=20), at(100), at(200))
    assert rate(plan, at(100)) == pytest.approx(BASE * 0.1)
    assert rate(plan, at(120)) == BASE
    assert rate(plan, at(160)) == pytest.approx(BASE / 2)


def test_a_start_factor_multiplies_the_rate_in_force() -> None:
    plan = change(begin(Constant()), Linear(start_factor=0.5, end_factor=1.0), at(100), at(200))
    assert rate(plan, at(100)) == BASE / 2
    assert rate(plan, at(200)) == BASE


def test_a_cycle_in_mid_run() -> None:
    given_peak = change(begin(Constant()), OneCycle(max_lr=0.5), at(100), at(200))
    assert rate(given_peak, at(100)) == pytest.approx(0.5 / 25)
    assert max(rates(given_peak, range(100, 200))) == pytest.approx(0.5, rel=1e-2)
    no_peak = change(begin(Constant()), OneCycle(div_factor=5.0), at(100), at(200))
    assert rate(no_peak, at(100)) == BASE / 5
    assert rate(no_peak, at(129)) == pytest.approx(BASE)
    assert peak(no_peak) == (BASE, 29)
    warmed = change(begin(Constant()), OneCycle(div_factor=5.0, warmup=10), at(100), at(200))
    assert rate(warmed, at(100)) == pytest.approx(BASE / 5 * 0.1)
    assert rate(warmed, at(110)) == pytest.approx(BASE / 5)
    assert rate(warmed, at(100 + round(peak(warmed)[1]))) == pytest.approx(BASE)
    short = change(begin(Constant()), OneCycle(total_steps=2), at(100), at(200))
    assert 0 < rate(short, at(100)) < BASE


@pytest.mark.parametrize("cycle", [OneCycle(), OneCycle(pct_start=0.6, warmup=7), OneCycle(total_steps=40)])
def test_a_cycle_is_highest_where_it_says(cycle: OneCycle) -> None:
    plan = set_rate(change(begin(Constant()), cycle, at(60), at(200)), 0.001, at(80))
    highest, after = peak(plan)
    found = rates(plan, range(60, 200))
    assert max(found) == pytest.approx(highest, rel=1e-2)
    assert found.index(max(found)) == pytest.approx(after, abs=1)


@pytest.mark.parametrize("new", [Constant(), Cosine(), ReduceOnPlateau()], ids=name)
def test_from_a_rate_of_zero_a_change_starts_from_the_base(new: AnySchedule) -> None:
    assert rate(change(begin(Cosine(T_max=10)), new, at(50), at(200)), at(50)) == BASE


def test_a_new_base_goes_on_along_the_curve() -> None:
    plan = set_rate(begin(Cosine()), 0.5, at(50))
    swapped = rebase(plan, 0.01, at(100), exact=False)
    assert rate(swapped, at(100)) == pytest.approx(0.005)
    assert rate(swapped, at(200)) == 0.0


def test_an_exact_new_base_is_the_rate_in_force() -> None:
    swapped = rebase(set_rate(begin(Cosine()), 0.5, at(50)), 0.01, at(100), exact=True)
    assert rate(swapped, at(100)) == 0.01
    with pytest.raises(ValueError, match="cosine schedule is at 0"):
        rebase(begin(Cosine()), 0.01, at(200), exact=True)


@pytest.mark.parametrize("unit", ["step", "epoch"])
@pytest.mark.parametrize("end", [130, 400])
@pytest.mark.parametrize("schedule", SMOOTH, ids=name)
def test_a_stretched_curve_goes_on_and_reaches_its_end(schedule: AnySchedule, end: int, unit: str) -> None:
    plan = begin(msgspec.structs.replace(schedule, unit=unit, warmup=5))
    stretched = stretch(plan, at(101), at(end))
    assert rate(stretched, at(101)) == pytest.approx(rate(plan, at(101)), rel=1e-12)
    assert rate(stretched, at(end)) == pytest.approx(rate(plan, at(200)), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("unit", ["step", "epoch"])
@pytest.mark.parametrize("schedule", [Linear(), Polynomial(power=2.0), Cosine(eta_min=1e-4)], ids=name)
def test_a_stretched_curve_is_the_same_curve_slower_or_faster(schedule: AnySchedule, unit: str) -> None:
    plan = begin(msgspec.structs.replace(schedule, unit=unit, warmup=5))
    original = rates(plan, range(100, 200, 2))
    slower, faster = stretch(plan, at(100), at(300)), stretch(plan, at(100), at(150))
    assert rates(slower, range(100, 300, 4)) == pytest.approx(original, rel=1e-9)
    assert rates(faster, range(100, 150)) == pytest.approx(original, rel=1e-9)


def test_a_stretched_cycle_ends_with_the_last_update() -> None:
    plan = begin(OneCycle())
    stretched = stretch(plan, at(99), at(150))
    assert rates(stretched, range(99, 150)) == pytest.approx(rates(plan, range(99, 200, 2)), rel=1e-9)
    assert rate(stretched, at(149)) == BASE / 25 / 1e4


@pytest.mark.parametrize("warmup", [0, 30])
@pytest.mark.parametrize("schedule", SMOOTH, ids=name)
def test_a_curve_that_has_not_begun_takes_the_new_length(schedule: AnySchedule, warmup: int) -> None:
    schedule = msgspec.structs.replace(schedule, warmup=warmup)
    here = at(warmup // 2)
    ours = rates(stretch(begin(schedule), here, at(300)), range(300))
    assert ours == rates(begin(schedule, steps=300), range(300))


@pytest.mark.parametrize("schedule", EXPLICIT, ids=name)
def test_explicit_lengths_do_not_stretch(schedule: AnySchedule) -> None:
    plan = begin(schedule)
    assert stretch(plan, at(50), at(400)) is plan


@pytest.mark.parametrize("schedule", SMOOTH, ids=name)
def test_the_same_end_changes_nothing(schedule: AnySchedule) -> None:
    plan = begin(schedule)
    assert stretch(plan, at(50), at(200)) is plan
    once = stretch(plan, at(50), at(400))
    assert stretch(once, at(80), at(400)) is once


@pytest.mark.parametrize("schedule", SMOOTH, ids=name)
def test_stretched_there_and_back_is_where_it_was(schedule: AnySchedule) -> None:
    plan = begin(schedule)
    back = stretch(stretch(plan, at(50), at(400)), at(50), at(200))
    assert rates(back, range(50, 200)) == pytest.approx(rates(plan, range(50, 200)), rel=1e-9)


def test_a_stretched_curve_ends_at_zero_itself() -> None:
    plan = begin(Polynomial(power=0.5))
    ends = [rate(stretch(plan, at(1), at(end)), at(end)) for end in range(2, 150)]
    assert ends == [0.0] * 148


def test_a_curve_that_is_over_holds_when_the_run_is_extended() -> None:
    extended = stretch(begin(Cosine(eta_min=1e-3)), at(200), at(300))
    assert rates(extended, range(200, 300)) == [1e-3] * 100

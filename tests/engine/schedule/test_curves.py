"""Every curve against torch.optim.lr_scheduler, over 200 steps, with and without warm-up."""

import warnings

import pytest
import torch
from torch.optim import lr_scheduler as oracle

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
    Staircase,
    StepDecay,
)
from trainconsole.engine.schedule.rate_plan import Plan, Position, rate, start

BASE = 0.03
STEPS = 200


def scheduler(optimizer: torch.optim.Optimizer, schedule: AnySchedule, room: int) -> oracle.LRScheduler:
    """torch's scheduler of the same parameters; `room` is the length where none is given."""
    match schedule:
        case Constant():
            return oracle.ConstantLR(optimizer, factor=1.0)
        case StepDecay() | Staircase():
            return oracle.StepLR(optimizer, schedule.step_size, schedule.gamma)
        case MultiStep():
            return oracle.MultiStepLR(optimizer, list(schedule.milestones), schedule.gamma)
        case Exponential():
            return oracle.ExponentialLR(optimizer, schedule.gamma)
        case Linear():
            total = schedule.total_iters or room
            return oracle.LinearLR(optimizer, schedule.start_factor, schedule.end_factor, total)
        case Polynomial():
            return oracle.PolynomialLR(optimizer, schedule.total_iters or room, schedule.power)
        case Cosine():
            return oracle.CosineAnnealingLR(optimizer, schedule.T_max or room, schedule.eta_min)
        case CosineRestarts():
            return oracle.CosineAnnealingWarmRestarts(
                optimizer, schedule.T_0, schedule.T_mult, schedule.eta_min
            )
        case OneCycle():
            return oracle.OneCycleLR(
                optimizer,
                schedule.max_lr or BASE,
                schedule.total_steps or room,
                pct_start=schedule.pct_start,
                anneal_strategy=schedule.anneal_strategy,
                cycle_momentum=False,
                div_factor=schedule.div_factor,
                final_div_factor=schedule.final_div_factor,
            )
    raise AssertionError(schedule)


def last_time(schedule: AnySchedule) -> int:
    """The time after which torch's own scheduler rises again or refuses to go on, and ours holds."""
    if isinstance(schedule, Cosine) and schedule.T_max is not None:
        return schedule.T_max
    if isinstance(schedule, OneCycle) and schedule.total_steps is not None:
        return schedule.total_steps - 1
    return STEPS


def torch_rates(schedule: AnySchedule, steps: int = STEPS) -> list[float]:
    """The rate of each of `steps` updates."""
    warmup = int(schedule.warmup)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ramp = oracle.LinearLR(optimizer, schedule.warmup_factor, 1.0, warmup) if warmup else None
        chosen = scheduler(optimizer, schedule, steps - warmup)
        if ramp is not None:
            chosen = oracle.SequentialLR(optimizer, [ramp, chosen], milestones=[warmup])
        rates = []
        for update in range(steps):
            rates.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            if update < warmup + last_time(schedule):
                chosen.step()
    return rates


def our_rates(plan: Plan, steps: int = STEPS, per_epoch: int = 10) -> list[float]:
    return [rate(plan, Position(step, step / per_epoch)) for step in range(steps)]


def begin(schedule: AnySchedule, steps: int = STEPS, per_epoch: int = 10) -> Plan:
    return start(schedule, BASE, Position(0, 0.0), Position(steps, steps / per_epoch))


SCHEDULES: list[AnySchedule] = [
    Constant(),
    StepDecay(),
    StepDecay(step_size=7, gamma=0.7),
    StepDecay(step_size=1, gamma=1.02),
    MultiStep(milestones=(30, 90, 140)),
    MultiStep(milestones=(5, 60, 61, 120), gamma=0.5),
    Staircase(),
    Staircase(step_size=13, gamma=0.8),
    Exponential(),
    Exponential(gamma=0.9),
    Exponential(gamma=1.03),
    Linear(),
    Linear(start_factor=0.3, end_factor=1.0, total_iters=50),
    Linear(start_factor=1.0, end_factor=0.02, total_iters=120),
    Polynomial(),
    Polynomial(power=2.0, total_iters=150),
    Polynomial(power=0.9),
    Cosine(),
    Cosine(eta_min=1e-4),
    Cosine(T_max=77, eta_min=1e-3),
    Cosine(T_max=1, eta_min=1e-3),
    Cosine(T_max=100, eta_min=0.05),
    CosineRestarts(),
    CosineRestarts(T_0=7, T_mult=2, eta_min=1e-4),
    CosineRestarts(T_0=1, T_mult=3),
    CosineRestarts(T_0=50, eta_min=1e-3),
    OneCycle(),
    OneCycle(max_lr=0.2, pct_start=0.25, anneal_strategy="linear"),
    OneCycle(max_lr=0.5, total_steps=101, pct_start=0.37, div_factor=10.0, final_div_factor=100.0),
    OneCycle(total_steps=3, div_factor=4.0),
    OneCycle(total_steps=2, anneal_strategy="linear"),
    OneCycle(total_steps=150, pct_start=0.9),
]


def text(schedule: AnySchedule) -> str:
    return repr(schedule).split("(")[0]


def steps_of(schedule: AnySchedule, **changes: object) -> AnySchedule:
    fields = {name: getattr(schedule, name) for name in schedule.__struct_fields__}
    return type(schedule)(**{**fields, **changes})


@pytest.mark.parametrize("warmup", [{}, {"warmup": 20}, {"warmup": 1}, {"warmup": 33, "warmup_factor": 0.01}])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=text)
def test_a_schedule_in_steps_is_torchs(schedule: AnySchedule, warmup: dict[str, float]) -> None:
    schedule = steps_of(schedule, unit="step", **warmup)
    assert our_rates(begin(schedule)) == pytest.approx(torch_rates(schedule), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("warmup", [{}, {"warmup": 20}, {"warmup": 3, "warmup_factor": 0.5}])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=text)
def test_a_schedule_in_epochs_is_torchs_stepped_once_an_epoch(
    schedule: AnySchedule, warmup: dict[str, float]
) -> None:
    schedule = steps_of(schedule, unit="epoch", **warmup)
    ours = our_rates(begin(schedule, per_epoch=1), per_epoch=1)
    assert ours == pytest.approx(torch_rates(schedule), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(
    "schedule",
    [
        StepDecay(step_size=2),
        MultiStep(milestones=(3, 5)),
        Exponential(),
        Staircase(step_size=2, unit="epoch"),
    ],
    ids=text,
)
@pytest.mark.parametrize("warmup", [0, 2])
def test_stairs_in_epochs_change_between_epochs_only(schedule: AnySchedule, warmup: int) -> None:
    schedule = steps_of(schedule, warmup=warmup)
    ours = our_rates(begin(schedule, steps=80), steps=80)[10 * warmup :]
    expected = [r for r in torch_rates(schedule, steps=8)[warmup:] for _ in range(10)]
    assert ours == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "schedule", [Linear(), Polynomial(power=2.0), Cosine(), CosineRestarts(T_0=20), OneCycle()], ids=text
)
def test_smooth_schedules_in_epochs_move_within_them(schedule: AnySchedule) -> None:
    first = our_rates(begin(steps_of(schedule, unit="epoch")), steps=10)
    assert len(set(first)) == 10
    assert first in (sorted(first), sorted(first, reverse=True))


def test_a_warmup_in_epochs_rises_within_them() -> None:
    rates = our_rates(begin(StepDecay(step_size=5, warmup=2)), steps=30)
    assert rates[:20] == pytest.approx([BASE * (0.1 + 0.9 * step / 20) for step in range(20)], rel=1e-12)
    assert rates[20:] == [BASE] * 10


@pytest.mark.parametrize(
    ("schedule", "held"),
    [
        (Linear(end_factor=0.1, total_iters=10), BASE * 0.1),
        (Polynomial(total_iters=10), 0.0),
        (Cosine(T_max=10, eta_min=1e-5), 1e-5),
        (OneCycle(total_steps=10), BASE / 25 / 1e4),
    ],
    ids=["linear", "polynomial", "cosine", "one_cycle"],
)
def test_a_curve_with_an_end_holds_its_last_value(schedule: AnySchedule, held: float) -> None:
    assert our_rates(begin(schedule))[10:] == [held] * 190


@pytest.mark.parametrize("schedule", [Linear(), Polynomial(), Cosine(), Cosine(warmup=500)], ids=text)
def test_without_room_a_curve_stays_where_it_starts(schedule: AnySchedule) -> None:
    here = Position(40, 4.0)
    ramp = 0.1 if schedule.warmup else 1.0
    assert rate(start(schedule, BASE, here, here), here) == BASE * ramp
    assert rate(start(OneCycle(), BASE, here, here), here) == BASE / 25


def test_a_warmup_longer_than_the_run_rises_to_the_end() -> None:
    rates = our_rates(begin(Cosine(warmup=400)))
    assert rates == pytest.approx([BASE * (0.1 + 0.9 * step / 400) for step in range(200)], rel=1e-12)


def test_a_growing_curve_stays_finite() -> None:
    plan = begin(Exponential(unit="step", gamma=1e20))
    assert 1e20 < rate(plan, Position(10**6, 1e5)) <= 1e30

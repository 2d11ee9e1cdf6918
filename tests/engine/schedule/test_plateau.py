"""Reduce-on-plateau against torch.optim.lr_scheduler.ReduceLROnPlateau, on given series of metrics."""

import math

import pytest
import torch

from trainconsole.engine.config.schedules import Cosine, ReduceOnPlateau
from trainconsole.engine.schedule.rate_plan import Plan, Position, observe, rate, set_rate, start

BASE = 0.04
PER_EPOCH = 10


def at(step: int) -> Position:
    return Position(step, step / PER_EPOCH)


def begin(schedule: ReduceOnPlateau | Cosine) -> Plan:
    return start(schedule, BASE, at(0), at(200))


FALLING = [1.0, 0.8, 0.7, 0.69995, 0.7, 0.71, 0.6, 0.6, 0.6, 0.6, 0.6, 0.59, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]
RISING = [0.1, 0.5, 0.6, 0.6, 0.6001, 0.7, 0.65, 0.6, 0.6, 0.6, 0.61, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]
ROUGH = [2.0, math.nan, 1.0, math.nan, math.nan, math.nan, 0.9, math.inf, 0.9, 0.9, -0.5, -0.5, -0.49, -0.6]
PLATEAUS = [
    ReduceOnPlateau(patience=2),
    ReduceOnPlateau(patience=0, factor=0.5),
    ReduceOnPlateau(patience=1, cooldown=2, factor=0.3),
    ReduceOnPlateau(patience=1, threshold=0.05, threshold_mode="abs"),
    ReduceOnPlateau(patience=1, threshold=0.2, threshold_mode="rel"),
    ReduceOnPlateau(patience=0, min_lr=0.003),
    ReduceOnPlateau(patience=0, eps=0.01, factor=0.5),
    ReduceOnPlateau(patience=1, cooldown=1, threshold=0.0),
]


def torch_plateau(schedule: ReduceOnPlateau, metrics: list[float], maximise: bool) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)
    names = ("factor", "patience", "threshold", "threshold_mode", "cooldown", "min_lr", "eps")
    parameters = {key: getattr(schedule, key) for key in names}
    mode = "max" if maximise else "min"
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode, **parameters)
    found = []
    for metric in metrics:
        scheduler.step(metric)
        found.append(float(optimizer.param_groups[0]["lr"]))
    return found


def our_plateau(plan: Plan, metrics: list[float], maximise: bool) -> list[float]:
    found = []
    for epoch, metric in enumerate(metrics, start=1):
        here = at(epoch * PER_EPOCH)
        plan = observe(plan, metric, here, maximise=maximise)
        found.append(rate(plan, here))
    return found


@pytest.mark.parametrize("maximise", [False, True])
@pytest.mark.parametrize("metrics", [FALLING, RISING, ROUGH], ids=["falling", "rising", "rough"])
@pytest.mark.parametrize("schedule", PLATEAUS)
def test_plateaus_are_torchs(schedule: ReduceOnPlateau, metrics: list[float], maximise: bool) -> None:
    metrics = [-value for value in metrics] if maximise and metrics is ROUGH else metrics
    expected = torch_plateau(schedule, metrics * 3, maximise)
    assert our_plateau(begin(schedule), metrics * 3, maximise) == pytest.approx(expected, rel=1e-9)
    assert len(set(expected)) > 1 or schedule.patience > 1


def test_plateaus_after_a_hand_set_rate_are_torchs_times_a_constant() -> None:
    schedule = PLATEAUS[2]
    hand = set_rate(begin(schedule), 0.5, at(0))
    expected = [value * 0.5 / BASE for value in torch_plateau(schedule, FALLING, False)]
    assert our_plateau(hand, FALLING, False) == pytest.approx(expected, rel=1e-9)


def test_a_plateau_waits_for_the_end_of_the_warmup() -> None:
    schedule = ReduceOnPlateau(patience=0, factor=0.5, warmup=3)
    found = our_plateau(begin(schedule), [1.0] * 6, False)
    assert found == pytest.approx([BASE * x for x in (0.4, 0.7, 1.0, 0.5, 0.25, 0.125)])


def test_only_plateaus_observe() -> None:
    plan = begin(Cosine())
    assert observe(plan, 1.0, at(10), maximise=False) is plan

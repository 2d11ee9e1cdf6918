"""Another optimizer in the same object: who holds it goes on with it, and going back leaves no trace."""

import copy
import itertools
import warnings
from typing import Any

import pytest
import torch
from torch import nn, optim
from torch.optim import lr_scheduler

from trainconsole.engine.own_loop.loop import OwnLoop
from trainconsole.engine.own_loop.registered import Registered
from trainconsole.engine.own_loop.settings import Settings
from trainconsole.engine.protocol.commands import SetOptimizer
from trainconsole.engine.protocol.grammar import parse
from trainconsole.engine.tensors.copies import copy_state

NAMES = ("sgd", "adam", "adamw", "nadam", "radam", "adamax", "adagrad", "adadelta", "rmsprop")


def loop(
    kind: type[optim.Optimizer] = optim.SGD, **options: Any
) -> tuple[nn.Module, optim.Optimizer, OwnLoop]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    optimizer = kind(model.parameters(), **({"lr": 0.05} | options))  # type: ignore[arg-type]
    return model, optimizer, OwnLoop(Registered({"model": model, "optimizer": optimizer}))


def train(model: nn.Module, optimizer: optim.Optimizer, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(8, 4)).square().mean().backward()
        optimizer.step()


def swap(settings: Settings, text: str) -> str:
    command = parse(f"optimizer {text}")
    assert isinstance(command, SetOptimizer)
    return settings.swap(settings.first, command.optimizer)


@pytest.mark.parametrize(("old", "new"), itertools.permutations(NAMES, 2))
def test_any_after_any_other_trains_on_and_back(old: str, new: str) -> None:
    model, optimizer, it = loop()
    swap(it.settings, old)
    train(model, optimizer, 3)
    saved: Any = copy_state(it.state_dict())
    before, hyper = copy.deepcopy(model.state_dict()), dict(optimizer.param_groups[0])
    swap(it.settings, new)
    assert it.settings.name_of(it.settings.first) == new
    train(model, optimizer, 3)
    it.load_state_dict(saved)
    assert it.settings.name_of(it.settings.first) == old
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert {key: optimizer.param_groups[0][key] for key in hyper if key != "params"} == {
        key: value for key, value in hyper.items() if key != "params"
    }
    train(model, optimizer, 2)


def test_closures_schedulers_and_scalers_go_on_with_it() -> None:
    model, optimizer, it = loop(optim.SGD, momentum=0.9, weight_decay=0.1)
    schedule = lr_scheduler.StepLR(optimizer, 2, 0.5)
    held = optimizer
    train(model, optimizer, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        swap(it.settings, "adam")
        assert optimizer is held
        assert isinstance(held, optim.Adam)
        assert held.param_groups[0]["weight_decay"] == 0.1
        train(model, optimizer, 1)
        schedule.step()
        later = lr_scheduler.StepLR(optimizer, 2, 0.5)
        train(model, optimizer, 1)
        later.step()
    assert it.settings.first.updates == 3
    assert len(held.state[next(model.parameters())]) == 3


def test_a_scheduler_that_cycles_a_momentum_still_finds_one() -> None:
    model, optimizer, it = loop(optim.Adam)
    schedule = lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=20)
    train(model, optimizer, 1)
    schedule.step()
    swap(it.settings, "sgd momentum=0.9")
    train(model, optimizer, 2)
    schedule.step()
    assert isinstance(optimizer, optim.SGD)


def test_going_back_to_the_scripts_own_class() -> None:
    class Own(optim.SGD):
        """A user's."""

    model, optimizer, it = loop(Own, momentum=0.9)
    train(model, optimizer, 2)
    saved: Any = copy_state(it.state_dict())
    kept = copy.deepcopy(optimizer.state_dict())
    assert it.settings.name_of(it.settings.first) == "Own"
    swap(it.settings, "adamw")
    train(model, optimizer, 2)
    it.load_state_dict(saved)
    assert type(optimizer) is Own
    assert str(optimizer.state_dict()) == str(kept)

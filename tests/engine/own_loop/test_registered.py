"""What is registered goes out and comes back by name; what cannot is told before anything begins."""

from typing import Any

import pytest
import torch
from torch import nn, optim
from torch.optim.swa_utils import AveragedModel

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.own_loop.registered import Registered, unwrapped
from trainconsole.engine.tensors.copies import copy_state


def stored(registered: Registered) -> Any:
    return copy_state({"model": registered.weights(), "objects": registered.objects()})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "give it what is trained"),
        ({"model": 3}, "a int has no state_dict"),
        ({"model": [1]}, "model_0"),
        ({"model": nn.LazyLinear(3)}, "lazy layers"),
        ({"sched": lambda: None}, "sched"),
    ],
)
def test_what_has_no_state_is_told(given: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Registered(given)


def test_all_of_it_comes_back() -> None:
    model = nn.Linear(2, 2)
    average, optimizer = AveragedModel(model), optim.Adam(model.parameters())
    schedule, scaler = optim.lr_scheduler.StepLR(optimizer, 1), torch.amp.GradScaler("cpu")
    registered = Registered(
        {"model": model, "optimizer": optimizer, "scheduler": schedule, "scaler": scaler, "ema": average}
    )

    def train() -> None:
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        schedule.step()
        average.update_parameters(model)

    train()
    saved = stored(registered)
    train()
    registered.load_state_dict(saved)
    again = stored(registered)
    assert str(again) == str(saved)
    assert sorted(saved["objects"]) == ["ema", "optimizer", "scaler", "scheduler"]


def test_several_models_go_by_name() -> None:
    parts = {"generator": nn.Linear(1, 2), "discriminator": nn.Linear(2, 1)}
    assert sorted(Registered(parts).weights()) == [
        "discriminator.bias",
        "discriminator.weight",
        "generator.bias",
        "generator.weight",
    ]
    saved = stored(Registered(parts))
    nn.init.zeros_(parts["generator"].weight)
    Registered(parts).load_state_dict(saved)
    assert torch.equal(parts["generator"].weight, saved["model"]["generator.weight"])


def test_a_list_is_numbered_and_none_is_nothing() -> None:
    models = [nn.Linear(1, 1), nn.Linear(1, 1)]
    assert sorted(Registered({"model": models, "scaler": None}).modules) == ["model_0", "model_1"]


def test_what_is_wrapped_is_saved_as_what_is_inside() -> None:
    model = nn.Linear(1, 1)
    assert unwrapped(nn.DataParallel(model)) is model
    assert unwrapped(torch.compile(model, backend="eager")) is model  # type: ignore[arg-type]
    assert sorted(Registered({"model": torch.compile(model, backend="eager")}).weights()) == [
        "bias",
        "weight",
    ]


def test_other_objects_are_refused_before_anything_has_changed() -> None:
    model = nn.Linear(1, 1)
    saved = stored(Registered({"model": model, "optimizer": optim.SGD(model.parameters(), 0.1)}))
    with pytest.raises(UserError, match="attach lacks optimizer"):
        Registered({"model": model}).load_state_dict(saved)
    with pytest.raises(Exception, match="weight"):
        Registered({"model": nn.Linear(2, 1), "optimizer": optim.SGD(model.parameters(), 0.1)}).check(saved)

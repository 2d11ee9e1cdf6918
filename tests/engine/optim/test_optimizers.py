"""Optimizers read back what was asked, fused equals unfused, and a swap carries over what the design says."""

import sys

import pytest
import torch
from support.optimizing import CPU, GRADIENTS, give, groups, parameters
from torch import nn

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.optimizers import (
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AnyOptimizer,
    ImportedOptimizer,
    NAdam,
    RAdam,
    RMSprop,
    Sgd,
)
from trainconsole.engine.optim import optimizers

ALL: list[AnyOptimizer] = [
    Sgd(lr=0.05, momentum=0.9, nesterov=True),
    Sgd(lr=0.05, momentum=0.9, dampening=0.1),
    Adam(lr=0.02, betas=(0.8, 0.99), eps=1e-6, amsgrad=True),
    AdamW(lr=0.02, betas=(0.8, 0.99)),
    NAdam(lr=0.02, momentum_decay=0.01),
    RAdam(lr=0.02),
    Adamax(lr=0.02, eps=1e-6),
    Adagrad(lr=0.02, lr_decay=0.1, initial_accumulator_value=0.5),
    Adadelta(lr=0.5, rho=0.8),
    RMSprop(lr=0.02, alpha=0.9, momentum=0.5, centered=True),
]


@pytest.mark.parametrize("config", ALL, ids=lambda config: config.__struct_config__.tag)
def test_parameters_are_read_back_and_a_step_moves_weights(config):
    (parameter,) = parameters(1.0)
    optimizer = optimizers.build(config, groups(parameter), 0.01, CPU)
    found = optimizers.effective(optimizer)
    asked = {name: getattr(config, name) for name in config.__struct_fields__}
    assert found == asked | {"weight_decay": 0.01}
    give(optimizer, GRADIENTS[0])
    assert not torch.equal(parameter.data, torch.ones(3))


@pytest.mark.parametrize("config", ALL, ids=lambda config: config.__struct_config__.tag)
def test_fused_equals_torchs_plain_loop(config):
    (ours,), (theirs,) = parameters(1.0), parameters(1.0)
    name = config.__struct_config__.tag
    optimizer = optimizers.build(config, groups(ours), 0.01, CPU)
    assert bool(optimizer.param_groups[0].get("fused")) == (name in optimizers.FUSED["cpu"])
    given = {field: getattr(config, field) for field in config.__struct_fields__}
    plain = optimizers.CLASSES[name]([theirs], weight_decay=0.01, foreach=False, **given)
    for gradient in GRADIENTS:
        give(optimizer, gradient)
        give(plain, gradient)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_complex_parameters_are_not_fused():
    parameter = nn.Parameter(torch.ones(3, dtype=torch.complex64))
    assert not optimizers.build(Adam(), groups(parameter), 0.0, CPU).param_groups[0]["fused"]


def test_rates_follow_the_groups():
    optimizer = optimizers.build(Adam(lr=0.01), groups(*parameters(1, 1)), 0.0, CPU)
    assert [group["lr"] for group in optimizer.param_groups] == [0.01, pytest.approx(0.001)]
    optimizers.set_rate(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, pytest.approx(0.05)]
    assert optimizers.effective(optimizer)["lr"] == 0.5


def test_groups_survive_a_state_dict():
    old = optimizers.build(Adam(lr=0.01), groups(*parameters(1, 1)), 0.0, CPU)
    give(old, GRADIENTS[0])
    new = optimizers.build(Adam(), groups(*parameters(1, 1)), 0.3, CPU)
    new.load_state_dict(old.state_dict())
    assert [group["name"] for group in new.param_groups] == ["head", "backbone"]
    assert optimizers.effective(new) == optimizers.effective(old)
    optimizers.set_weight_decay(new, 0.2)
    assert optimizers.effective(new)["weight_decay"] == 0.2


@pytest.mark.parametrize("config", ALL, ids=lambda config: config.__struct_config__.tag)
def test_decoupled_decay_never_enters_the_state(config):
    kept = []
    for decay in (0.0, 0.5):
        (parameter,) = parameters(1.0)
        optimizer = optimizers.build(config, groups(parameter), decay, CPU)
        give(optimizer, GRADIENTS[0])
        kept.append([value.tolist() for value in optimizer.state[parameter].values()])
    decoupled = config.decay == "decoupled"
    assert (kept[0] == kept[1]) == decoupled == isinstance(config, AdamW)


OWN = """
import torch

class Sign(torch.optim.Optimizer):
    def __init__(self, params, lr, scale=1.0):
        super().__init__(params, {"lr": lr, "scale": scale})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(group["lr"] * group["scale"] * p.grad.sign())

def not_a_class(params, lr):
    return None
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_optimizers.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "own_optimizers"
    sys.modules.pop("own_optimizers", None)


def test_own_optimizer(own):
    (parameter,) = parameters(1.0)
    config = ImportedOptimizer(target=f"{own}:Sign", lr=0.1, args={"scale": 2.0})
    optimizer = optimizers.build(config, groups(parameter), 0.0, CPU)
    give(optimizer, torch.ones(3))
    torch.testing.assert_close(parameter.data, torch.full((3,), 0.8))
    assert optimizers.effective(optimizer) == {"lr": 0.1, "scale": 2.0, "weight_decay": 0.0}


def test_own_optimizer_gone_wrong(own):
    (parameter,) = parameters(1.0)
    for target, args, decay, text in [
        ("not_a_class", {}, 0.0, "must be a torch.optim.Optimizer class"),
        ("Sign", {"speed": 1}, 0.0, "failed: TypeError: .*speed"),
        ("Sign", {}, 0.1, "Sign has no weight_decay; set it to 0"),
        ("Sign", {"weight_decay": 0.1}, 0.0, "set regularisation.weight_decay instead"),
    ]:
        config = ImportedOptimizer(target=f"{own}:{target}", args=args)
        with pytest.raises(UserError, match=text):
            optimizers.build(config, groups(parameter), decay, CPU)

"""Fused updates, called directly: the same bits as optimizer.step()."""

import copy

import pytest
import torch
from torch import nn, optim

from trainconsole.engine.optim.fast_step import Direct

KINDS = {
    "adam": lambda groups: optim.Adam(groups, lr=1e-2, fused=True, weight_decay=0.01),
    "amsgrad": lambda groups: optim.Adam(groups, lr=1e-2, fused=True, amsgrad=True),
    "adamw": lambda groups: optim.AdamW(groups, lr=1e-2, fused=True, betas=(0.8, 0.95)),
    "sgd": lambda groups: optim.SGD(groups, lr=1e-2, fused=True),
    "nesterov": lambda groups: optim.SGD(groups, lr=1e-2, fused=True, momentum=0.9, nesterov=True),
    "dampening": lambda groups: optim.SGD(groups, lr=1e-2, fused=True, momentum=0.9, dampening=0.5),
}


class Run:
    """A small net in two groups; the learning rate changes at every step."""

    def __init__(self, kind: str) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2))
        first, second = self.model[0].parameters(), self.model[2].parameters()
        self.optimizer = KINDS[kind]([{"params": [*first]}, {"params": [*second], "weight_decay": 0.1}])

    def gradients(self, step: int) -> None:
        inputs = torch.randn(8, 5, generator=torch.Generator().manual_seed(step))
        self.optimizer.zero_grad()
        self.model(inputs).square().mean().backward()
        for group in self.optimizer.param_groups:
            group["lr"] = 0.01 / (1 + step)

    def plain(self, first: int, last: int) -> None:
        for step in range(first, last):
            self.gradients(step)
            self.optimizer.step()

    def direct(self, first: int, last: int) -> None:
        direct = Direct.of(self.optimizer)
        assert direct is not None
        for step in range(first, last):
            self.gradients(step)
            assert direct.step()


def same(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bits_in_turns_with_the_optimizers_own_step(kind):
    one, other = Run(kind), Run(kind)
    one.plain(0, 30)
    other.plain(0, 2)
    other.direct(2, 12)
    other.plain(12, 15)
    other.direct(15, 30)
    assert same(one.model.state_dict(), other.model.state_dict())
    assert same(one.optimizer.state_dict(), other.optimizer.state_dict())


@pytest.mark.parametrize("kind", ["adam", "nesterov"])
def test_not_before_there_is_state_and_not_after_another_was_loaded(kind):
    run = Run(kind)
    run.gradients(0)
    assert Direct.of(run.optimizer) is None
    run.optimizer.step()
    direct = Direct.of(run.optimizer)
    assert direct is not None
    assert direct.belongs_to(run.optimizer)
    run.optimizer.load_state_dict(copy.deepcopy(run.optimizer.state_dict()))
    assert not direct.belongs_to(run.optimizer)


def test_a_parameter_without_gradient_leaves_all_as_it_was():
    run = Run("adam")
    run.plain(0, 2)
    direct = Direct.of(run.optimizer)
    assert direct is not None
    run.gradients(2)
    run.model[2].bias.grad = None
    before = copy.deepcopy((run.model.state_dict(), run.optimizer.state_dict()))
    assert not direct.step()
    assert same([*before], [run.model.state_dict(), run.optimizer.state_dict()])


def test_other_optimizers_have_none():
    class Own(optim.Adam):
        """A user's own may do more in its step."""

    parameter = nn.Parameter(torch.zeros(3))
    parameter.grad = torch.ones(3)
    for optimizer in (optim.RMSprop([parameter]), optim.Adam([parameter]), Own([parameter], fused=True)):
        optimizer.step()
        assert Direct.of(optimizer) is None

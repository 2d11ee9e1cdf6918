"""What is noticed of a script, piece by piece: its losses, its modules, what it calls its optimizers."""

import inspect
import traceback
from collections.abc import Iterator

import pytest
import torch
from torch import nn, optim

from trainconsole.engine.unchanged import modules, names
from trainconsole.engine.unchanged.losses import Losses


@pytest.fixture
def losses() -> Iterator[Losses]:
    noting = Losses()
    yield noting
    noting.remove()


def graph() -> torch.Tensor:
    return (torch.ones(2, requires_grad=True) * 3).sum()


def test_a_loss_is_noted_whichever_way_backward_is_called(losses: Losses) -> None:
    graph().backward()
    torch.autograd.backward(graph())
    torch.autograd.backward(tensors=[graph()])
    assert [float(one) for one in losses.take()] == [6.0, 6.0, 6.0]
    assert all(one.grad_fn is None for one in losses.take())
    assert losses.take() == []


def test_what_is_no_one_loss_or_failed_is_not_noted(losses: Losses) -> None:
    torch.autograd.backward([graph(), graph()])
    many = torch.ones(2, requires_grad=True) * 2
    many.backward(torch.ones(2))
    with pytest.raises(RuntimeError) as caught:
        torch.ones(()).backward()
    frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert frames.count("backward") == 3
    assert losses.take() == []


def test_torch_looks_as_it_did_and_is_as_it_was_afterwards() -> None:
    before = torch.autograd.backward, torch.amp.GradScaler.scale
    noting = Losses()
    after = torch.autograd.backward, torch.amp.GradScaler.scale
    for one, other in zip(before, after, strict=True):
        assert (one.__name__, one.__doc__, one.__module__) == (
            other.__name__,
            other.__doc__,
            other.__module__,
        )
        assert inspect.signature(one) == inspect.signature(other)
    noting.remove()
    assert (torch.autograd.backward, torch.amp.GradScaler.scale) == before


def test_scaled_losses_are_noted_as_they_were(losses: Losses) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    first, second = graph(), graph() * 2
    scaled = scaler.scale(first), scaler.scale(second)
    scaled[0].backward()
    scaled[1].backward()
    (scaler.scale(graph()) / 4).backward()
    assert [float(one) for one in losses.take()] == [6.0, 12.0, 1.5]


def test_the_modules_that_own_what_is_trained_are_found_largest_first() -> None:
    class Head(nn.Linear):
        pass

    body, head, copy = nn.Sequential(nn.Linear(4, 9)), Head(9, 2), nn.Sequential(nn.Linear(4, 9))
    lone = nn.Parameter(torch.zeros(3))
    both = optim.SGD([*head.parameters(), *body.parameters(), lone], lr=0.1)
    found = modules.found([both])
    assert [*found.items()] == [("Sequential", body), ("Head", head)]
    assert copy not in found.values()
    assert modules.weights(found, {"both": both}) == {"both.0.4": lone}
    assert modules.found([optim.SGD(body.parameters(), lr=0.1)]) == {"model": body}


def test_an_optimizer_is_called_as_the_outermost_variable_that_holds_it() -> None:
    def inner(given: object) -> str:
        return names.name_of(given, ())

    # This module is not the script's, but it is none of those that are skipped either.
    outer = optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    assert inner(outer) == "outer"
    assert names.name_of(object(), ()) == "optimizer"
    assert names.name_of(object(), ("optimizer", "optimizer_1")) == "optimizer_2"

"""The rate of one of several optimizers of a loop, and that of all."""

import pytest
import torch
from torch import nn, optim

from trainconsole.engine.own_loop.commands import apply
from trainconsole.engine.own_loop.registered import Registered
from trainconsole.engine.own_loop.steered_loop import SteeredLoop
from trainconsole.engine.protocol.grammar import parse
from trainconsole.engine.protocol.status import InForce
from trainconsole.engine.reporting.refusals import Refused


@pytest.fixture
def loop() -> SteeredLoop:
    model = nn.Linear(2, 2)
    return SteeredLoop(
        Registered(
            {
                "model": model,
                "critic": optim.Adam([model.weight], lr=0.002),
                "painter": optim.SGD([model.bias], lr=0.01),
            }
        )
    )


def rates(loop: SteeredLoop) -> dict[str, float]:
    """Those that an update of each uses."""
    for one in loop.settings.hooked:
        weights = one.optimizer.param_groups[0]["params"][0]
        weights.grad = torch.zeros_like(weights)
        one.optimizer.step()
    return {one.name: float(one.lr) for one in loop.settings.hooked}


def test_one_and_all(loop: SteeredLoop) -> None:
    effect = apply(parse("lr painter x0.5"), loop)
    assert (effect.before, effect.after) == ({"lr painter": 0.01}, {"lr painter": 0.005})
    assert rates(loop) == {"critic": 0.002, "painter": 0.005}
    apply(parse("lr x2"), loop)
    assert rates(loop) == {"critic": 0.004, "painter": 0.01}
    apply(parse("lr critic 0.001"), loop)
    assert rates(loop) == pytest.approx({"critic": 0.001, "painter": 0.01})
    apply(parse("lr 0.002"), loop)
    assert rates(loop) == pytest.approx({"critic": 0.002, "painter": 0.02})
    apply(parse("schedule own"), loop)
    assert rates(loop) == {"critic": 0.002, "painter": 0.01}


def test_under_a_schedule_of_ours(loop: SteeredLoop) -> None:
    apply(parse("lr critic x0.5"), loop)
    apply(parse("schedule constant"), loop)
    assert rates(loop) == pytest.approx({"critic": 0.001, "painter": 0.01})
    apply(parse("lr critic x2"), loop)
    assert rates(loop) == pytest.approx({"critic": 0.002, "painter": 0.01})
    assert loop.progress().plan is not None
    assert loop.in_force().lr == pytest.approx(0.002)


def test_a_state_has_them_and_one_of_old_has_none(loop: SteeredLoop) -> None:
    apply(parse("lr painter x0.5"), loop)
    state = loop.settings.state_dict()
    apply(parse("lr painter x0.5"), loop)
    loop.settings.load_state_dict(state)
    assert loop.in_force().rates == {"critic": 0.002, "painter": 0.005}
    del state["factors"]
    loop.settings.load_state_dict(state)
    assert loop.in_force().rates == {"critic": 0.002, "painter": 0.01}


def test_what_is_in_force_says_all_rates_and_is_read_back(loop: SteeredLoop) -> None:
    values = loop.in_force().values()
    assert values["lr painter"] == 0.01
    assert InForce.of(values, ()).rates == {"critic": 0.002, "painter": 0.01}


@pytest.mark.parametrize("text", ["lr nobody x0.5", "lr painter 1000", "lr painter x0"])
def test_refused(loop: SteeredLoop, text: str) -> None:
    with pytest.raises(Refused):
        apply(parse(text), loop)
    assert rates(loop) == {"critic": 0.002, "painter": 0.01}

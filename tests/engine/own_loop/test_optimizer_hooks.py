"""What a command sets is what the update uses; what the script's own scheduler sees is untouched."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn, optim
from torch.optim import lr_scheduler

from trainconsole.engine.own_loop.optimizer_hooks import Hooked, Steering

Made = Callable[[optim.Optimizer], Any]
SCHEDULERS: dict[str, Made] = {
    "lambda": lambda one: lr_scheduler.LambdaLR(one, lambda step: 0.95**step),
    "one cycle": lambda one: lr_scheduler.OneCycleLR(one, [0.2, 0.02], total_steps=40),
    "warm-up, then cosine": lambda one: lr_scheduler.SequentialLR(
        one,
        [lr_scheduler.LinearLR(one, 0.1, total_iters=5), lr_scheduler.CosineAnnealingLR(one, 30)],
        milestones=[5],
    ),
    "by hand": lambda one: ByHand(one),
}


class ByHand:
    """As nanoGPT does it."""

    def __init__(self, optimizer: optim.Optimizer) -> None:
        self.optimizer, self.count = optimizer, 0

    def step(self) -> None:
        self.count += 1
        for group in self.optimizer.param_groups:
            group["lr"] = 0.1 / (1 + self.count)


class Seen(optim.SGD):
    """Remembers the rates that its updates used."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.used: list[list[float]] = []
        self.decays: list[float] = []

    def step(self, closure: Any = None) -> Any:  # type: ignore[override]
        self.used.append([float(group["lr"]) for group in self.param_groups])
        self.decays.append(self.param_groups[0]["weight_decay"])
        return super().step(closure)


def made(**options: Any) -> tuple[Seen, Steering, Hooked]:
    layers = nn.Linear(3, 3), nn.Linear(3, 3)
    groups = [{"params": layers[0].parameters(), "lr": 0.1}, {"params": layers[1].parameters(), "lr": 0.01}]
    optimizer, steering = Seen(groups, **options), Steering()
    for layer in layers:
        for parameter in layer.parameters():
            parameter.grad = torch.ones_like(parameter)
    return optimizer, steering, Hooked("optimizer", optimizer, steering)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_scripts_own_schedule_stays_as_it_is_to_the_bit(name: str) -> None:
    plain, _, _ = made()
    steered, steering, hooked = made()
    theirs, ours = SCHEDULERS[name](plain), SCHEDULERS[name](steered)
    for step in range(35):
        steering.factor = {10: 2.0, 20: 0.25}.get(step, steering.factor)
        before = [group["lr"] for group in steered.param_groups]
        assert before == [group["lr"] for group in plain.param_groups]
        plain.step()
        steered.step()
        assert [group["lr"] for group in steered.param_groups] == before
        assert steered.used[-1] == [rate * steering.factor for rate in before]
        assert hooked.lr == steered.used[-1][0]
        theirs.step()
        ours.step()
    assert hooked.updates == 35


def test_a_planned_rate_keeps_the_ratio_of_the_groups() -> None:
    optimizer, steering, _ = made()
    steering.planned = 0.5
    optimizer.step()
    assert optimizer.used == [[0.5, pytest.approx(0.05)]]


def test_where_the_scripts_rate_is_0_a_planned_one_is_used_as_it_is() -> None:
    optimizer, steering, _ = made()
    optimizer.param_groups[0]["lr"] = 0.0
    steering.planned = 0.5
    optimizer.step()
    assert optimizer.used == [[0.5, 0.5]]


def test_a_rate_in_a_tensor_is_the_same_tensor_afterwards() -> None:
    optimizer, steering, hooked = made()
    rate = torch.tensor(0.1)
    optimizer.param_groups[0]["lr"] = rate
    steering.factor = 3.0
    optimizer.step()
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate == torch.tensor(0.1)
    assert optimizer.used[0][0] == pytest.approx(0.3)
    assert float(hooked.lr) == pytest.approx(0.3)


def test_weight_decay_is_set_for_the_update_alone() -> None:
    optimizer, steering, _ = made(weight_decay=0.1)
    steering.weight_decay = 0.7
    optimizer.step()
    assert optimizer.decays == [0.7]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.1]


def test_clipping_is_of_all_gradients_together() -> None:
    optimizer, steering, hooked = made()
    steering.clip_norm = 1.0
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    norm = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None]).norm()
    optimizer.step()
    clipped = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
    torch.testing.assert_close(clipped.norm(), torch.tensor(1.0))
    assert hooked.norm is not None
    torch.testing.assert_close(hooked.norm, norm)


def test_clipping_knows_the_scale_that_an_optimizer_is_left_with() -> None:
    """As a GradScaler leaves it to a fused one."""
    scale, weight = 1024.0, nn.Parameter(torch.zeros(4))
    optimizer, steering = optim.SGD([weight], lr=1.0, fused=True), Steering()
    hooked = Hooked("optimizer", optimizer, steering)
    steering.clip_norm = 1.0
    weight.grad = torch.full((4,), 3.0 * scale)
    optimizer.grad_scale, optimizer.found_inf = torch.tensor(scale), torch.tensor(0.0)  # type: ignore[attr-defined]
    optimizer.step()
    torch.testing.assert_close(weight.detach().norm(), torch.tensor(1.0), rtol=1e-4, atol=0)
    assert hooked.norm is not None
    torch.testing.assert_close(hooked.norm, torch.tensor(6.0))


def test_an_update_that_raises_leaves_no_rate_behind() -> None:
    optimizer, steering, hooked = made()
    steering.factor = 2.0

    def fails() -> float:
        raise RuntimeError("the closure")

    with pytest.raises(RuntimeError, match="the closure"):
        optimizer.step(fails)
    hooked.settle()
    optimizer.step()
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert optimizer.used[-1] == [0.2, pytest.approx(0.02)]


def test_unhooked_it_is_as_it_was() -> None:
    optimizer, steering, hooked = made()
    steering.factor = 2.0
    hooked.remove()
    optimizer.step()
    assert optimizer.used == [[0.1, 0.01]]

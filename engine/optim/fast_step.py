"""torch's fused Adam, AdamW and SGD without what `step()` does around the kernel."""

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, optim

from trainconsole.engine.tensors.torch_internals import fused_kernel

Group = dict[str, Any]
Kernel = Callable[[Group, list[Tensor]], None]
"""Updates the parameters of a group by their gradients, with the numbers that stand in the group now."""


class Direct:
    """The update of `optimizer`, exactly that of optimizer.step(); the state stays where it is."""

    def __init__(self, optimizer: optim.Optimizer) -> None:
        self._groups, self._state = optimizer.param_groups, optimizer.state
        self._kernels = [_kernel(optimizer, group) for group in optimizer.param_groups]

    @classmethod
    def of(cls, optimizer: optim.Optimizer) -> Self | None:
        """None where it cannot be: another optimizer, no state before the first step, parameters that differ
        in dtype or have no gradient, no such kernel."""
        known = fused_kernel(type(optimizer)) is not None
        return cls(optimizer) if known and all(_fits(optimizer, g) for g in optimizer.param_groups) else None

    def belongs_to(self, optimizer: optim.Optimizer) -> bool:
        """Whether it is still of this optimizer: loading a state gives that other dictionaries."""
        return self._state is optimizer.state and self._groups is optimizer.param_groups

    def step(self) -> bool:
        """Update; False, and nothing is done, where a parameter has no gradient this time."""
        gradients = [[parameter.grad for parameter in group["params"]] for group in self._groups]
        if any(gradient is None for of_group in gradients for gradient in of_group):
            return False
        with torch.no_grad():
            for kernel, group, of_group in zip(self._kernels, self._groups, gradients, strict=True):
                kernel(group, of_group)
        return True


def _fits(optimizer: optim.Optimizer, group: Group) -> bool:
    parameters, states = group["params"], [optimizer.state.get(p, {}) for p in group["params"]]
    plain = bool(group["fused"]) and not group["differentiable"]
    alike = len({(p.dtype, p.device) for p in parameters}) == 1
    dense = all(p.grad is not None and p.grad.layout == torch.strided for p in parameters)
    needs = "step" if "betas" in group else "momentum_buffer" if group["momentum"] else None
    return plain and alike and dense and (needs is None or all(s.get(needs) is not None for s in states))


def _kernel(optimizer: optim.Optimizer, group: Group) -> Kernel:
    states = [optimizer.state.get(parameter, {}) for parameter in group["params"]]
    return _sgd(group, states) if isinstance(optimizer, optim.SGD) else _adam(optimizer, group, states)


def _adam(optimizer: optim.Optimizer, group: Group, states: list[dict[str, Tensor]]) -> Kernel:
    update = fused_kernel(type(optimizer))
    assert update is not None
    averages, squares = [s["exp_avg"] for s in states], [s["exp_avg_sq"] for s in states]
    largest = [s["max_exp_avg_sq"] for s in states] if group["amsgrad"] else []
    # Views of one tensor: one addition counts them all.
    count = torch.stack([s["step"] for s in states])
    steps = list(count.unbind())
    for state, step in zip(states, steps, strict=True):
        state["step"] = step

    def run(group: Group, gradients: list[Tensor]) -> None:
        count.add_(1)
        update(
            group["params"],
            gradients,
            averages,
            squares,
            largest,
            steps,
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=group["amsgrad"],
            maximize=group["maximize"],
            grad_scale=None,
            found_inf=None,
        )

    return run


def _sgd(group: Group, states: list[dict[str, Tensor]]) -> Kernel:
    buffers = [s["momentum_buffer"] for s in states] if group["momentum"] else []
    update = fused_kernel(optim.SGD)
    assert update is not None

    def run(group: Group, gradients: list[Tensor]) -> None:
        update(
            group["params"],
            gradients,
            buffers,
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            lr=group["lr"],
            dampening=group["dampening"],
            nesterov=group["nesterov"],
            maximize=group["maximize"],
            is_first_step=False,
            grad_scale=None,
            found_inf=None,
        )

    return run

"""From one optimizer to another in mid-run: what carries over, and what it would be wrong to carry over."""

from typing import Any

import torch
from torch import Tensor, optim

from trainconsole.engine.config.optimizers import (
    BUFFER,
    FIRST,
    FRESH,
    MOMENTS,
    SECOND,
    AnyOptimizer,
    carried,
    decay_note,
)
from trainconsole.engine.optim.optimizers import build

State = dict[str, Any]
Group = dict[str, Any]


def swap(
    old: optim.Optimizer,
    old_config: AnyOptimizer,
    new_config: AnyOptimizer,
    weight_decay: float,
    device: torch.device,
) -> tuple[optim.Optimizer, str]:
    """A new optimizer over the same groups, at new_config.lr, and what it took over, in words.

    Weights, groups, frozen parameters and the weight-decay number stay. Among Adam, AdamW, NAdam and RAdam
    both moments and the step count carry over; to RMSprop the bias-corrected second moment, to SGD with
    momentum the bias-corrected first, unscaled; RMSprop's momentum buffer to SGD's. Everything else starts
    fresh: a momentum buffer over a fresh second moment sent a loss from 0.1 to 75 in one step. `old` is left
    as it was. Raises UserError as optimizers.build does.
    """
    new = build(new_config, old.param_groups, weight_decay, device)
    names = str(old_config.__struct_config__.tag), str(new_config.__struct_config__.tag)
    return new, "; ".join(filter(None, [carry(names, old, new), decay_note(*names, weight_decay)]))


def carry(names: tuple[str, str], old: optim.Optimizer, new: optim.Optimizer) -> str:
    """Give `new`, of the second name, what it can take over of the state of `old`; that, in words. Both have
    the same parameters in the same groups."""
    taken = FRESH
    for before, after in zip(old.param_groups, new.param_groups, strict=True):
        for parameter in after["params"]:
            text, state = _carry(names, before, after, old.state.get(parameter, {}))
            if state:
                new.state[parameter] = state
                taken = text
    return taken


def _carry(names: tuple[str, str], before: Group, after: Group, state: State) -> tuple[str, State]:
    """What one parameter's state becomes, {} where it starts fresh."""
    text = carried(*names, had=before.get("momentum", 0.0), has=after.get("momentum", 0.0))
    stepped = "exp_avg" in state and float(state["step"]) > 0
    filled = "momentum_buffer" in state if text == BUFFER else stepped
    return (text, _CARRIERS[text](before, after, state)) if text != FRESH and filled else (FRESH, {})


def _between_adams(before: Group, after: Group, state: State) -> State:
    """With other betas the moments are scaled so that, bias-corrected, they are what they were."""
    (old1, old2), (new1, new2) = before["betas"], after["betas"]
    first = _correction(new1, state) / _correction(old1, state)
    second = _correction(new2, state) / _correction(old2, state)
    step, average = float(state["step"]), state["exp_avg"] * first
    carried = {"step": _scalar(step, after, average), "exp_avg": average}
    carried["exp_avg_sq"] = state["exp_avg_sq"] * second
    if after.get("amsgrad"):
        # Before amsgrad was on, the largest second moment is the one that there is.
        largest: Tensor = state["max_exp_avg_sq" if "max_exp_avg_sq" in state else "exp_avg_sq"]
        carried["max_exp_avg_sq"] = largest * second
    if "momentum_decay" in after:
        carried["mu_product"] = _scalar(_mu_product(step, new1, after["momentum_decay"]), after, average)
    return carried


def _adam_to_rmsprop(before: Group, after: Group, state: State) -> State:
    square = state["exp_avg_sq"] / _correction(before["betas"][1], state)
    carried = {"step": _scalar(0.0, after, square), "square_avg": square}
    if after["momentum"] > 0:
        carried["momentum_buffer"] = torch.zeros_like(square)
    if after["centered"]:
        carried["grad_avg"] = torch.zeros_like(square)
    return carried


def _first_moment(before: Group, after: Group, state: State) -> State:
    return {"momentum_buffer": state["exp_avg"] / _correction(before["betas"][0], state)}


def _buffer(before: Group, after: Group, state: State) -> State:
    return {"momentum_buffer": state["momentum_buffer"].clone()}


_CARRIERS = {MOMENTS: _between_adams, SECOND: _adam_to_rmsprop, FIRST: _first_moment, BUFFER: _buffer}


def _correction(beta: float, state: State) -> float:
    """Adam's bias correction, 1 - beta ** step."""
    return float(1.0 - beta ** float(state["step"]))


def _mu_product(step: float, beta: float, decay: float) -> float:
    """NAdam's product of momentum factors after `step` steps: those of torch.optim.NAdam from its first."""
    product = 1.0
    for t in range(1, int(step) + 1):
        product *= beta * (1.0 - 0.5 * 0.96 ** (t * decay))
        if product < 1e-30:
            return 0.0
    return product


def _scalar(value: float, group: Group, like: Tensor) -> Tensor:
    """A count as the optimizer of `group` keeps it: on the device of fused and capturable ones, else here."""
    on_device = group.get("fused") or group.get("capturable")
    return torch.tensor(value, dtype=torch.float32, device=like.device if on_device else "cpu")

"""Optimizers by name: building one, and setting and reading back what is in force."""

from typing import Any

import msgspec
import torch
from torch import optim

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.user_code import call
from trainconsole.engine.config.optimizers import AnyOptimizer, ImportedOptimizer
from trainconsole.engine.tensors import torch_internals
from trainconsole.engine.tensors.random_state import load_object

CLASSES: dict[str, type[optim.Optimizer]] = {
    "sgd": optim.SGD,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "nadam": optim.NAdam,
    "radam": optim.RAdam,
    "adamax": optim.Adamax,
    "adagrad": optim.Adagrad,
    "adadelta": optim.Adadelta,
    "rmsprop": optim.RMSprop,
}

FUSED: dict[str, tuple[str, ...]] = {
    "cpu": ("sgd", "adam", "adamw", "adagrad"),
    "cuda": ("sgd", "adam", "adamw"),
    "mps": ("sgd", "adam", "adamw"),
}
"""By device type: what torch 2.6 and later have a fused kernel for. Fixed, never timed: a run must repeat."""

CAPTURABLE: dict[str, tuple[str, ...]] = {"cuda": ("nadam", "radam", "adamax", "adadelta", "rmsprop")}
"""Where step counts live on the device, so that a step can be taken back there without a synchronisation."""

MACHINERY = {"params", "lr_factor", "name", "param_names", "foreach", "fused", "maximize"} | {
    "differentiable",
    "capturable",
    "decoupled_weight_decay",
}


def build(
    config: AnyOptimizer, groups: list[dict[str, Any]], weight_decay: float | None, device: torch.device
) -> optim.Optimizer:
    """The optimizer over `groups` ({"params", "lr_factor", "name"}, which its own param_groups keep), at
    config.lr; `weight_decay` None leaves what it has itself. Raises UserError where the user's own is not an
    Optimizer, fails, or has no weight decay."""
    torch_internals.spare_the_compiler()
    groups = [{key: group[key] for key in ("params", "lr_factor", "name")} for group in groups]
    if isinstance(config, ImportedOptimizer):
        optimizer = _imported(config, groups)
    else:
        name = str(config.__struct_config__.tag)
        flags = _flags(name, groups, device)
        optimizer = CLASSES[name](groups, **msgspec.structs.asdict(config), **flags)
    if weight_decay is not None:
        set_weight_decay(optimizer, weight_decay)
    set_rate(optimizer, config.lr)
    return optimizer


def set_rate(optimizer: optim.Optimizer, rate: float) -> None:
    """Set the learning rate of each group to `rate` times its lr_factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_factor"]


def rate(optimizer: optim.Optimizer) -> float:
    """The learning rate now in force in the head's group or the only one."""
    return float(_head(optimizer)["lr"])


def drop_gradients(optimizer: optim.Optimizer) -> None:
    """zero_grad(set_to_none=True), without the 40 us that its profiling takes."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None


def set_weight_decay(optimizer: optim.Optimizer, value: float) -> None:
    """Set the weight decay of all groups. Raises UserError where a user's own optimizer has none."""
    for group in optimizer.param_groups:
        if "weight_decay" in group:
            group["weight_decay"] = value
        elif value:
            kind = type(optimizer).__name__
            raise UserError(f"regularisation.weight_decay: {kind} has no weight_decay; set it to 0")


def effective(optimizer: optim.Optimizer) -> dict[str, Any]:
    """The hyper-parameters now in force, by torch's names, read from the head's group or the only one.

    Values are numbers, booleans and tuples; `weight_decay` is always there.
    """
    values = {key: _plain(value) for key, value in _head(optimizer).items() if key not in MACHINERY}
    return {"weight_decay": 0.0} | values


def _head(optimizer: optim.Optimizer) -> dict[str, Any]:
    groups = optimizer.param_groups
    return next((group for group in groups if group.get("name") != "backbone"), groups[0])


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.item()
    return tuple(value) if isinstance(value, list | tuple) else value


def _flags(name: str, groups: list[dict[str, Any]], device: torch.device) -> dict[str, Any]:
    floating = all(p.is_floating_point() for group in groups for p in group["params"])
    if name in FUSED.get(device.type, ()) and floating:
        return {"fused": True}
    return {"capturable": True} if name in CAPTURABLE.get(device.type, ()) else {}


def _imported(config: ImportedOptimizer, groups: list[dict[str, Any]]) -> optim.Optimizer:
    found = load_object(config.target, "optimizer.name")
    if not (isinstance(found, type) and issubclass(found, optim.Optimizer)) or issubclass(found, optim.LBFGS):
        raise UserError(
            f"optimizer.name: {config.target} must be a torch.optim.Optimizer class"
            " whose step() needs no closure"
        )
    if "weight_decay" in config.args:
        raise UserError("optimizer.args.weight_decay: set regularisation.weight_decay instead, a live knob")
    try:
        made = call(found, f"optimizer {config.target}", groups, lr=config.lr, **config.args)
    except UserError as error:
        if "unexpected keyword argument 'lr'" not in str(error):
            raise
        raise UserError(f"optimizer {config.target}: it takes no lr; a class as torch's takes one") from None
    assert isinstance(made, optim.Optimizer)
    return made

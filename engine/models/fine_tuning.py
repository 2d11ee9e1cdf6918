"""Fine-tuning: which parameters are frozen, which learn at their own rate, which come from an earlier run."""

import difflib
from fnmatch import fnmatchcase
from typing import Any

from torch import Tensor, nn

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.models import AnyModel


def parameter_groups(model: nn.Module, config: AnyModel) -> list[dict[str, Any]]:
    """Groups of the trainable parameters for an optimizer: {"params", "lr_factor", "name"}.

    One group "all", or with `backbone_lr` below 1 "head" (factor 1) and "backbone". What `freeze` matches
    no longer requires gradients. Raises UserError where a pattern matches nothing or nothing is left to
    train.
    """
    named = dict(model.named_parameters())
    for name in _matching(list(named), config.freeze, "model.freeze"):
        named[name].requires_grad_(False)
    trainable = {name: parameter for name, parameter in named.items() if parameter.requires_grad}
    if not trainable:
        raise UserError("model.freeze: all parameters are frozen, so there is nothing to train")
    head = _head(model, list(named), config.head) if config.head or config.backbone_lr != 1 else set()
    if config.backbone_lr == 1:
        return [{"params": list(trainable.values()), "lr_factor": 1.0, "name": "all"}]
    parts = {
        "head": (1.0, [parameter for name, parameter in trainable.items() if name in head]),
        "backbone": (config.backbone_lr, [p for name, p in trainable.items() if name not in head]),
    }
    return [{"params": ps, "lr_factor": factor, "name": name} for name, (factor, ps) in parts.items() if ps]


def init_from(
    model: nn.Module, state: dict[str, Tensor], *, head: tuple[str, ...], fresh_head: bool
) -> tuple[list[str], list[str]]:
    """Load the entries of a state dict that fit by name and shape; with `fresh_head` not those of the head.

    Returns the names (loaded, fresh) of the model's own entries. Raises UserError where no parameter fits.
    """
    own = model.state_dict()
    keep = _head(model, list(own), head) if fresh_head else set()
    fits = {
        name: state[name]
        for name, tensor in own.items()
        if name in state and state[name].shape == tensor.shape and name not in keep
    }
    if not any(name in fits for name, _ in model.named_parameters()):
        raise UserError(
            f"model.init_from: no weight of that run fits this model: it has {_described(state)},"
            f" the model {_described(own)}\nUse the model of that run, or leave init_from out."
        )
    model.load_state_dict(fits, strict=False)
    return list(fits), [name for name in own if name not in fits]


def _described(state: dict[str, Tensor]) -> str:
    name, tensor = next(iter(state.items()), ("nothing", None))
    return name if tensor is None else f"{name} {tuple(tensor.shape)}, ..."


def _head(model: nn.Module, names: list[str], patterns: tuple[str, ...]) -> set[str]:
    if patterns:
        return _matching(names, patterns, "model.head")
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise UserError(
            "model.head: this model has no Linear layer that could be its head\n"
            f'Name the head by patterns on parameter names, such as "{names[-1]}".'
        )
    return {name for name in names if name.startswith(f"{linear[-1]}.") or linear[-1] == ""}


def _matching(names: list[str], patterns: tuple[str, ...], key: str) -> set[str]:
    """The names that a pattern matches, as a whole or up to a dot: "fc1" matches "fc1.weight"."""
    found: set[str] = set()
    for pattern in patterns:
        matched = {n for n in names if fnmatchcase(n, pattern) or fnmatchcase(n, f"{pattern}.*")}
        if not matched:
            raise UserError(f"{key}: '{pattern}' matches no parameter{_nearest(pattern, names)}")
        found |= matched
    return found


def _nearest(pattern: str, names: list[str]) -> str:
    modules = [name.rpartition(".")[0] for name in names if "." in name]
    close = difflib.get_close_matches(pattern, [*dict.fromkeys([*modules, *names])], n=3, cutoff=0.5)
    known = close or names[:3]
    return f"; {'nearest' if close else 'there are'}: {', '.join(known)}"

"""A loss of the user's own: what its function or class returned, called as torch's losses are."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.user_code import call
from trainconsole.engine.config.losses import ImportedLoss
from trainconsole.engine.losses.target_shapes import like_outputs
from trainconsole.engine.tensors.random_state import load_object

BINARY = (nn.BCELoss, nn.BCEWithLogitsLoss)
"""torch's classes that want float targets in the shape of the outputs: the class, or its share, as 0 to 1."""


def make(config: ImportedLoss) -> Callable[..., Any]:
    """What the user's function or class gives: a callable of (outputs, targets). Raises UserError."""
    made = call(load_object(config.target, "loss.name"), f"loss {config.target}", **config.args)
    if not callable(made):
        raise UserError(
            f"loss.name: {config.target} returns a {type(made).__name__},"
            " not a callable of (outputs, targets)"
        )
    found: Callable[..., Any] = made
    return found


def outputs_of(made: Callable[..., Any], classes: int) -> int:
    """How many outputs a model needs for it: one for each class, a single one for two in a binary loss."""
    return 1 if isinstance(made, BINARY) and classes == 2 else max(classes, 1)


def mean(
    made: Callable[..., Any], target: str, outputs: Tensor, targets: Tensor, logged: dict[str, Tensor]
) -> Tensor:
    """The 0-d loss of a batch, the mean where the user's own gives one for each row. Where it gives a dict,
    that is of its `loss`, and the means of the others are then in `logged`, detached.

    Raises UserError where it fails or gives no Tensor; `target` names it.
    """
    logged.clear()
    if isinstance(made, BINARY):
        loss = _binary(made, target, outputs, targets)
    else:
        loss = call(made, f"loss {target}", outputs, like_outputs(targets, outputs))
    if isinstance(loss, Mapping):
        loss = _parted(loss, target, outputs, logged)
    if not isinstance(loss, Tensor):
        raise UserError(f"loss.name: {target} gives a {type(loss).__name__}, not a Tensor")
    return loss.mean() if loss.ndim else loss


def _parted(parts: Mapping[Any, Any], target: str, outputs: Tensor, logged: dict[str, Tensor]) -> Any:
    if "loss" not in parts:
        raise UserError(f"loss.name: {target} gives a dict without 'loss', which is what is minimised")
    for name, value in parts.items():
        if name != "loss":
            number = torch.as_tensor(value, device=outputs.device).detach()
            logged[str(name)] = number.float().mean()
    return parts["loss"]


def positive(targets: Tensor, outputs: Tensor) -> Tensor:
    """Targets as float32 in the shape of `outputs`: of a single output the share of class 1, else of each."""
    single = outputs.ndim == 1 or outputs.shape[1] == 1
    if single and targets.ndim == 2 and targets.shape[1] == 2:
        targets = targets[:, 1]
    elif not single and not targets.is_floating_point():
        targets = F.one_hot(targets, outputs.shape[1])
    return like_outputs(targets.float(), outputs)


def of_probabilities(compute: Callable[[Tensor], Any], outputs: Tensor) -> Any:
    """What `compute` makes of probabilities: NaN passes through, where torch would end the run; float32."""
    numbers = outputs.float()
    with torch.autocast(outputs.device.type, enabled=False):
        loss = compute(numbers.nan_to_num(0.5).clamp(0, 1))
    return loss + 0 * numbers.sum() if isinstance(loss, Tensor) else loss


def _binary(made: Callable[..., Any], target: str, outputs: Tensor, targets: Tensor) -> Any:
    wanted = positive(targets, outputs)
    if isinstance(made, nn.BCELoss):
        return of_probabilities(lambda p: call(made, f"loss {target}", p, wanted), outputs)
    return call(made, f"loss {target}", outputs.float(), wanted)

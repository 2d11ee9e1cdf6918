"""Outputs and targets in shapes that belong together: a loss of two that merely broadcast means nothing."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from trainconsole.engine.common.errors import UserError

BROADCASTS = "Using a (target|input) size"
"""How torch's own warning of it begins."""


def like_outputs(targets: Tensor, outputs: Tensor) -> Tensor:
    """`targets` in the shape of `outputs` where both hold one number a row: (N,), (N, 1), 0-d; else as is."""
    if targets.shape != outputs.shape and targets.numel() == outputs.numel():
        return targets.reshape(outputs.shape)
    return targets


def by_rows(outputs: Tensor, rows: int) -> Tensor:
    """A model's outputs (N, ...): a model that ends in squeeze() drops the rows of a batch of one, too."""
    if rows == 1 and (not outputs.ndim or len(outputs) != 1):
        return outputs.reshape(1, -1)
    return outputs


def check_loss(compute: Callable[[Tensor, Tensor], Tensor], outputs: Tensor, targets: Tensor) -> None:
    """Try a loss on `outputs` (N, C) or (N,) and their `targets`. Raises UserError, with both shapes.

    N must be neither 1 nor C, where shapes that do not belong together broadcast all the same.
    """
    given = f"It is given outputs {_described(outputs)} and targets {_described(targets)}."
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.filterwarnings("error", message=BROADCASTS)
            compute(outputs, targets)
    except UserError as error:
        raise UserError(f"{str(error).splitlines()[0]}\n{given}{_hint(outputs, targets)}") from error


def _hint(outputs: Tensor, targets: Tensor) -> str:
    if targets.is_floating_point() or outputs.ndim < 2:
        return ""
    return "\nInteger targets are taken for classes; for regression make them floats."


def _described(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"

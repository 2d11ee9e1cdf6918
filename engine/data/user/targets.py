"""What the targets of a user's data stand for: classes, shares of them, one number, or none of these."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.data.user.arrays import Values

Kind = Literal["classes", "soft", "regression"]

TOLERANCE = 1e-3
"""How far from 1 the sum of probabilities may be."""

MOSTLY = 0.9
"""The share of rows that sum to 1 from which on the others are a mistake in probabilities."""

NEEDED = (
    "A target is a class index (integer), one number (floating point), or probabilities that sum to 1;\n"
    "more than one number a row is not among the tasks."
)


def kind(targets: Values, inputs: Tensor, what: str, rows: Sequence[int] = ()) -> Kind:
    """What `targets` (N, ...), of rows `inputs` (N, ...), are. Raises UserError in words for all else.

    `what` names them, "data.name: the train targets"; `rows` are what the user calls these rows, () where
    they are 0, 1, ...
    """
    rows = rows or range(len(targets))
    if not isinstance(targets, Tensor):
        return _of_strings(targets, what)
    one = targets.ndim == 1 or tuple(targets.shape[1:]) == (1,)
    if not targets.is_floating_point():
        if not one:
            raise UserError(f"{what} {_integers(targets.long(), inputs)}")
        return "classes"
    if one:
        _refuse_not_finite(targets.reshape(-1), what, rows)
        return "regression"
    if targets.ndim == 2 and is_soft(targets).all():
        return "soft"
    raise UserError(f"{what} {_floats(targets, inputs, rows)}")


def is_soft(targets: Tensor) -> Tensor:
    """Which rows of `targets` (N, C) are probabilities of classes: bool (N,)."""
    sums = targets.double().sum(1)
    return ((targets >= 0) & (targets <= 1 + TOLERANCE)).all(1) & ((sums - 1).abs() <= TOLERANCE)


def _of_strings(targets: "np.ndarray[tuple[int, ...], np.dtype[np.str_]]", what: str) -> Kind:
    if targets.ndim != 1:
        raise UserError(f"{what} are strings of shape {targets.shape}; one for each row is needed")
    return "classes"


def _refuse_not_finite(targets: Tensor, what: str, rows: Sequence[int]) -> None:
    bad = targets.isfinite().logical_not().nonzero().flatten().tolist()
    if bad:
        named = ", ".join(str(rows[row]) for row in bad[:5]) + (", ..." if len(bad) > 5 else "")
        raise UserError(
            f"{what} hold {len(bad):,} that {'are' if len(bad) > 1 else 'is'} not a finite number"
            f" (NaN or infinite): row {named}\nDrop these rows, or fill them."
        )


def _integers(targets: Tensor, inputs: Tensor) -> str:
    shape = tuple(targets.shape[1:])
    binary = bool(((targets == 0) | (targets == 1)).all())
    if len(shape) >= 2:
        return (
            f"are {shape} integers a row, a mask: a class for each pixel (segmentation)\n"
            "One class for each row, integers (N,), is needed."
        )
    if binary and bool((targets.sum(1) == 1).all()):
        return f"are one-hot: {shape[0]} integers a row, of which one is 1\nGive the class: y.argmax(1)."
    if binary:
        return f"are {shape[0]} yes/no labels a row (multi-label)\n{NEEDED}"
    return f"are {shape[0]} integers a row (a sequence?); (N,) is needed\n{NEEDED}"


def _floats(targets: Tensor, inputs: Tensor, rows: Sequence[int]) -> str:
    shape = tuple(targets.shape[1:])
    if not targets.isfinite().all():
        row = int(targets.isfinite().flatten(1).all(1).logical_not().nonzero()[0])
        return f"are {shape} numbers a row, not all of them finite: row {rows[row]}\n{NEEDED}"
    if bool(((targets == 0) | (targets == 1)).all()) and targets.ndim == 2:
        return f"are {shape[0]} yes/no labels a row (multi-label), not rows that sum to 1\n{NEEDED}"
    if targets.shape == inputs.shape and (len(shape) > 1 or torch.equal(targets.to(inputs), inputs)):
        return f"have the shape of the inputs, {shape} (reconstruction)\n{NEEDED}"
    if len(shape) > 1:
        return f"are {shape} numbers a row (a map, a mask or a sequence)\n{NEEDED}"
    soft = is_soft(targets)
    if float(soft.double().mean()) >= MOSTLY:
        row = int(soft.logical_not().nonzero()[0])
        total = f"row {rows[row]} sums to {float(targets[row].sum()):.4g}"
        return f"are probabilities of {shape[0]} classes, but {total}"
    return f"are {shape[0]} numbers a row (multi-output), neither one number nor probabilities\n{NEEDED}"

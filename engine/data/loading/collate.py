"""Samples of a user's dataset made into a batch, of the shapes and dtypes that models and losses take."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Subset, default_collate

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.user_code import blame
from trainconsole.engine.data.user.arrays import native
from trainconsole.engine.data.user.preparation import Preparation, listed
from trainconsole.engine.data.user.targets import is_soft

NO_ROOM = (
    "data: /dev/shm, through which loading processes hand over their batches, has no room for one\n"
    "Set data.workers = 0 or a smaller batch_size; in a container, start it with a larger --shm-size."
)

Batch = tuple[Tensor, Tensor]
"""Inputs float32 (N, ...); targets int64 (N,), float32 (N, C) or float32 (N, 1), see batches.py."""

Hook = Callable[[list[Any]], Any]
"""A user's own way from a list of samples to (inputs, targets), as a DataLoader's `collate_fn`."""


@dataclass(frozen=True)
class Failure:
    """A sample or a batch that could not be made, and why."""

    text: str


@dataclass(frozen=True)
class Collate:
    """One batch from samples, by the user's `hook` or torch's default_collate; a Failure where it cannot be
    made, as an exception that crosses a process arrives as a page of traceback."""

    hook: Hook | None = None

    def __call__(self, samples: list[Any]) -> Any:
        for sample in samples:
            if isinstance(sample, Failure):
                return sample
        try:
            return self.hook(samples) if self.hook else _default(samples)
        except Exception as error:
            if "shared memory" in str(error):
                return Failure(NO_ROOM)
            if self.hook:
                return Failure(f"data: the dataset's collate failed: {blame(error)}")
            return Failure(f"data: the samples of a batch do not fit together: {_difference(samples, error)}")


def collate_of(dataset: Any) -> Hook | None:
    """The attribute `collate_fn` or `collate` of a dataset, or of what it is a Subset of; else None."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    found = getattr(dataset, "collate_fn", getattr(dataset, "collate", None))
    return found if callable(found) else None


def as_batch(
    collated: Any, classification: bool, preparation: Preparation, name: Callable[[int], str]
) -> Batch:
    """The Batch of what a Collate made; `name` says which sample a row of it is.

    Raises UserError for anything else, and for a target that is none of the classes.
    """
    if isinstance(collated, Failure):
        raise UserError(collated.text)
    if not isinstance(collated, tuple | list) or len(collated) != 2:
        raise UserError(f"data: a sample must be (input, target), got {type(collated).__name__}")
    inputs, given = collated
    targets = preparation.targets(given)
    if not isinstance(inputs, Tensor) or not isinstance(targets, Tensor):
        raise UserError(
            f"data: a sample must be (tensor, number or tensor), "
            f"got ({type(inputs).__name__}, {type(targets).__name__})"
        )
    targets = as_targets(targets, classification)
    if preparation.classes:
        _check(targets, given, preparation, name)
    return preparation.inputs(inputs), targets


def as_targets(targets: Tensor, classification: bool) -> Tensor:
    """int64 (N,) for class indices, float32 (N, C) for soft targets, float32 (N, 1) for regression."""
    if not classification:
        return targets.float().reshape(len(targets), -1)
    if targets.is_floating_point() and targets.ndim == 2 and targets.shape[1] > 1:
        return targets.float()
    if targets.is_floating_point():
        raise UserError(f"data: class indices must be integers, got {targets.dtype}")
    return targets.long().reshape(len(targets))


def _check(targets: Tensor, given: Any, preparation: Preparation, name: Callable[[int], str]) -> None:
    """On the CPU, 10 us: on a device a class that is not there would be an error without a place."""
    count = preparation.classes
    good = is_soft(targets) if preparation.soft else (targets >= 0) & (targets < count)
    if good.all():
        return
    row = int(good.logical_not().nonzero()[0])
    value = given[row].tolist() if isinstance(given, Tensor) else given[row]
    if preparation.soft:
        text = f"sums to {float(targets[row].sum()):.4g}, not to 1"
        raise UserError(f"data: the target of {name(row)} {text}")
    raise UserError(
        f"data: the target of {name(row)} is {value!r}, none of the {count} classes"
        f" {listed(preparation.values or range(count))}"
    )


def _default(samples: list[Any]) -> Any:
    try:
        return default_collate(samples)
    except (TypeError, ValueError):
        return default_collate([_native(sample) for sample in samples])


def _native(sample: Any) -> Any:
    if not isinstance(sample, tuple | list):
        return sample
    return tuple(native(part) if isinstance(part, np.ndarray) else part for part in sample)


def _difference(samples: Sequence[Any], error: Exception) -> str:
    shapes = {
        tuple(torch.as_tensor(sample[0]).shape)
        for sample in samples
        if isinstance(sample, tuple | list)
        and len(sample) == 2
        and isinstance(sample[0], Tensor | np.ndarray)
    }
    if len(shapes) < 2:
        return blame(error)
    first, second, *_ = sorted(shapes)
    return (
        f"inputs of {first} and {second}\n"
        "Give the dataset an attribute `collate_fn`, as a DataLoader takes it, that pads a list of samples."
    )

"""A first look at a user's datasets and streams: some samples, spread over the set, as one batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.user_code import call
from trainconsole.engine.config.data import ImportedData
from trainconsole.engine.data.loading.collate import Hook, collate_of
from trainconsole.engine.data.loading.sampling import seeded
from trainconsole.engine.data.user.arrays import Values, labels, numbers

WHAT = "data.name"
NUMBERS = (Tensor, np.ndarray, np.generic, int, float)
"""What torch's default_collate makes one tensor of."""

LOOKED_AT = 16
"""Samples: of a dataset spread over it, of a stream the first."""


@dataclass(frozen=True)
class Look:
    """Inputs (n, ...) as they were given, their targets, and of a dataset's the index of each."""

    inputs: Tensor
    targets: Values
    rows: tuple[int, ...] = ()


def at_dataset(dataset: Dataset[Any], name: str) -> Look:
    """Samples spread over a map-style dataset. Raises UserError where it is empty or one cannot be taken."""
    what = f"{WHAT}: {type(dataset).__name__}"
    size = call(len, f"{what}.__len__", dataset)
    if not size:
        raise UserError(f"{WHAT}: the {name} part, a {type(dataset).__name__}, is empty")
    rows = sorted({int(row) for row in np.linspace(0, size - 1, LOOKED_AT)})
    with seeded(0):
        samples = [call(dataset.__getitem__, f"{what}[{row}]", row) for row in rows]
    return _batched(samples, dataset, rows, name)


def at_stream(dataset: IterableDataset[Any], name: str) -> Look:
    """The first samples of a stream. Raises UserError where it has none or one cannot be taken."""
    with seeded(0):
        samples = call(lambda: list(islice(iter(dataset), LOOKED_AT)), f"{WHAT}: {type(dataset).__name__}")
    if not samples:
        raise UserError(f"{WHAT}: the {name} part, a {type(dataset).__name__}, is empty")
    return _batched(samples, dataset, range(len(samples)), name)


def length(dataset: IterableDataset[Any], name: str, config: ImportedData) -> int:
    """How many samples of a stream an epoch takes: data.length for training, else what its len() says."""
    known = config.length if name == "train" else None
    if known is not None:
        return known
    try:
        return len(dataset)  # type: ignore[arg-type]
    except TypeError:
        way_out = "set data.length" if name == "train" else "give it a __len__"
        raise UserError(
            f"{WHAT}: the {name} part, a {type(dataset).__name__}, has no known length: {way_out}"
        ) from None


def describe(value: Any) -> str:
    """What a value is, for an error: "one int", "a tuple of (Tensor, int)"."""
    if isinstance(value, DataLoader):
        return "one DataLoader; give its dataset: batches, order and workers are the run's"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of ({', '.join(type(part).__name__ for part in value)})"
    return f"one {type(value).__name__}"


def _batched(samples: list[Any], dataset: Any, rows: Sequence[int], name: str) -> Look:
    owner, hook = type(dataset).__name__, collate_of(dataset)
    found = _by_hook(hook, samples, owner) if hook else _by_default(samples, owner, rows, name)
    inputs = numbers(found[0], f"{WHAT}: the {name} inputs")
    targets = labels(found[1], f"{WHAT}: the {name} targets")
    if not len(inputs) == len(targets) == len(samples):
        raise UserError(
            f"{WHAT}: the collate of {owner} makes {len(inputs)} inputs and {len(targets)} targets"
            f" of {len(samples)} samples"
        )
    return Look(inputs, targets, tuple(rows))


def _by_hook(hook: Hook, samples: list[Any], owner: str) -> tuple[Tensor, Any]:
    found = call(hook, f"{WHAT}: the collate of {owner}", samples)
    if isinstance(found, tuple | list) and len(found) == 2 and isinstance(found[0], Tensor):
        return found[0], found[1]
    raise UserError(f"{WHAT}: the collate of {owner} gives {describe(found)}; (inputs, targets) is needed")


def _by_default(samples: list[Any], owner: str, rows: Sequence[int], name: str) -> tuple[Tensor, Any]:
    for sample in samples:
        if not isinstance(sample, tuple | list) or len(sample) != 2:
            raise UserError(f"{WHAT}: a sample of {owner} is {describe(sample)}; (input, target) is needed")
        if not isinstance(sample[0], NUMBERS) or not isinstance(sample[1], (*NUMBERS, str)):
            raise UserError(
                f"{WHAT}: a sample of {owner} is {describe(sample)}; (tensor, number or tensor) is needed\n"
                "Pictures become tensors by the dataset's transform, torchvision.transforms.ToTensor()."
            )
    inputs = _stacked([one for one, _ in samples], f"{name} inputs", owner, rows)
    targets = [target for _, target in samples]
    if isinstance(targets[0], str):
        return inputs, np.array([str(one) for one in targets])
    return inputs, _stacked(targets, f"{name} targets", owner, rows)


def _stacked(values: list[Any], kind: str, owner: str, rows: Sequence[int]) -> Tensor:
    """One tensor of the samples' own. Raises UserError where their shapes differ."""
    found = [numbers(value, f"{WHAT}: the {kind}") for value in values]
    shapes = {tuple(one.shape): row for row, one in reversed([*zip(rows, found, strict=True)])}
    if len(shapes) > 1:
        each = ", ".join(f"{shape} of sample {row}" for shape, row in sorted(shapes.items(), key=_second)[:2])
        raise UserError(
            f"{WHAT}: the {kind} of {owner} differ in shape: {each}\n"
            "Give it an attribute `collate_fn`, as a DataLoader takes it, that pads a list of samples."
        )
    return torch.stack([one.to(found[0].dtype) for one in found])


def _second(item: tuple[tuple[int, ...], int]) -> int:
    return item[1]

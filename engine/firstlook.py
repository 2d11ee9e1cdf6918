"""A first look at a user's datasets and streams: shapes, targets, lengths, labels."""

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, Subset

from trainconsole.engine.config import ImportedData
from trainconsole.engine.errors import UserError
from trainconsole.engine.imported import call
from trainconsole.engine.rows import DatasetRows, StreamRows
from trainconsole.engine.samples import seeded

WHAT = "data.name"
SCANNED = 20_000


def dataset_rows(dataset: Dataset[Any], name: str, config: ImportedData) -> DatasetRows:
    """Rows of a map-style dataset; labels are looked up, or read where something depends on them."""
    what = f"{WHAT}: {type(dataset).__name__}"
    size = call(len, f"{what}.__len__", dataset)
    if not size:
        raise UserError(f"{WHAT}: the {name} part, a {type(dataset).__name__}, is empty")
    with seeded(0):
        shape, target = _sample(call(dataset.__getitem__, f"{what}[0]", 0), dataset)
    labels = None
    if not target.is_floating_point() and target.numel() == 1:
        labels = _known_labels(dataset, size, int(target))
        if labels is None and (config.balance != "none" or class_names(dataset) is None):
            labels = _scanned_labels(dataset, size, what)
    return DatasetRows(dataset, shape, target, labels, config.workers)


def stream_rows(dataset: IterableDataset[Any], name: str, config: ImportedData) -> StreamRows:
    """Rows of a stream; its length is data.length for training, else what its len() says."""
    length = config.length if name == "train" else None
    if length is None:
        try:
            length = len(dataset)  # type: ignore[arg-type]
        except TypeError:
            way_out = "set data.length" if name == "train" else "give it a __len__"
            raise UserError(
                f"{WHAT}: the {name} part, a {type(dataset).__name__}, has no known length: {way_out}"
            ) from None
    with seeded(0):
        first = call(lambda: next(iter(dataset), None), f"{WHAT}: {type(dataset).__name__}")
    if first is None or not length:
        raise UserError(f"{WHAT}: the {name} part, a {type(dataset).__name__}, is empty")
    return StreamRows(dataset, length, *_sample(first, dataset), config.workers)


def class_names(dataset: Any) -> tuple[str, ...] | None:
    """The attribute `classes`, of the dataset itself or of what it is a Subset of."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    found = getattr(dataset, "classes", None)
    return tuple(str(name) for name in found) if isinstance(found, list | tuple) and found else None


def describe(value: Any) -> str:
    """What a value is, for an error: "one int", "a tuple of (Tensor, int)"."""
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of ({', '.join(type(part).__name__ for part in value)})"
    return f"one {type(value).__name__}"


def _sample(sample: Any, owner: Any) -> tuple[tuple[int, ...], Tensor]:
    """Shape of the input, and the target, of a first sample. Raises UserError where it has none."""
    name = type(owner).__name__
    if not isinstance(sample, tuple | list) or len(sample) != 2:
        raise UserError(f"{WHAT}: a sample of {name} is {describe(sample)}; (input, target) is needed")
    try:
        return tuple(torch.as_tensor(sample[0]).shape), torch.as_tensor(sample[1])
    except (TypeError, ValueError, RuntimeError):
        raise UserError(
            f"{WHAT}: a sample of {name} is {describe(sample)}; (tensor, number or tensor) is needed\n"
            "Pictures become tensors by the dataset's transform, torchvision.transforms.ToTensor()."
        ) from None


def _known_labels(dataset: Any, size: int, first: int) -> Tensor | None:
    """`targets` or `labels` of the dataset, where they are what its samples have (`first` < 0: not asked)."""
    if isinstance(dataset, Subset):
        known = _known_labels(dataset.dataset, len(dataset.dataset), -1)  # type: ignore[arg-type]
        labels = None if known is None else known[list(dataset.indices)]
    else:
        found = getattr(dataset, "targets", getattr(dataset, "labels", None))
        try:
            labels = None if found is None else torch.as_tensor(found)
        except (TypeError, ValueError, RuntimeError):
            return None
    if labels is None or labels.shape != (size,) or labels.is_floating_point():
        return None
    return labels.long() if first < 0 or int(labels[0]) == first else None


def _scanned_labels(dataset: Dataset[Any], size: int, what: str) -> Tensor:
    if size > SCANNED:
        raise UserError(
            f"{what} has {size:,} samples and says neither its classes nor its targets\n"
            "Give it an attribute `classes` (names) or `targets` (class indices)."
        )
    with seeded(0):
        return torch.tensor([int(call(dataset.__getitem__, f"{what}[{i}]", i)[1]) for i in range(size)])

"""Rows of data before they become a source: tensors, a dataset or a stream, and a whole set of them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, Subset

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.data.loading.sampling import seeded
from trainconsole.engine.data.pictures.rows import PictureRows
from trainconsole.engine.data.user.arrays import numbers
from trainconsole.engine.data.user.preparation import AS_GIVEN, Preparation

FIRST = 3


@dataclass(frozen=True)
class TensorRows:
    """Inputs (N, ...) as they were read (uint8 images, float64 tables) and targets: int64 (N,) for classes,
    floating (N, C) for soft targets, floating (N, 1) for regression. On the CPU. `rows` int64 (N,) is what
    the user calls them, None where they are 0, 1, ..."""

    inputs: Tensor
    targets: Tensor
    rows: Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(self.inputs.shape[1:])

    @property
    def labels(self) -> Tensor | None:
        """int64 (N,), of soft targets the likeliest class; None for regression."""
        if not self.targets.is_floating_point():
            return self.targets
        return self.targets.argmax(1) if self.targets.shape[1] > 1 else None

    @property
    def kind(self) -> str:
        return target_kind(self.targets[0])

    @property
    def outputs(self) -> int:
        return self.targets[0].numel()

    def take(self, indices: Tensor) -> Self:
        """The rows at `indices`, int64 (n,)."""
        rows = indices if self.rows is None else self.rows[indices]
        return replace(self, inputs=self.inputs[indices], targets=self.targets[indices], rows=rows)

    def numbers(self) -> Tensor | None:
        """What the user calls each row, int64 (N,); None where that is 0, 1, ..."""
        return self.rows

    def contents(self) -> Iterator[bytes | memoryview]:
        """What tells these rows from others: all of them."""
        for tensor in (self.inputs, self.targets):
            yield f"{tensor.dtype}{tuple(tensor.shape)}".encode()
            yield tensor.contiguous().view(-1).view(torch.uint8).numpy().data


class _ByTarget:
    """Of rows that are read one by one, the first target tells what all of them are."""

    target: Tensor

    @property
    def kind(self) -> str:
        return target_kind(self.target)

    @property
    def outputs(self) -> int:
        return self.target.numel()


@dataclass(frozen=True)
class DatasetRows(_ByTarget):
    """A map-style dataset, read sample by sample: `target` is the first one's, `labels` int64 (N,) where they
    are known beforehand."""

    dataset: Dataset[Any]
    input_shape: tuple[int, ...]
    target: Tensor
    labels: Tensor | None = None
    workers: int = 0
    preparation: Preparation = AS_GIVEN

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def take(self, indices: Tensor) -> Self:
        """The rows at `indices`, int64 (n,)."""
        labels = None if self.labels is None else self.labels[indices]
        return replace(self, dataset=Subset(self.dataset, indices.tolist()), labels=labels)

    def numbers(self) -> Tensor | None:
        """The index of each in the user's own dataset, int64 (N,); None where that is 0, 1, ..."""
        found, dataset = None, self.dataset
        while isinstance(dataset, Subset):
            indices = torch.as_tensor(dataset.indices)
            found, dataset = indices if found is None else indices[found], dataset.dataset
        return found

    def contents(self) -> Iterator[bytes | memoryview]:
        """What can be known without reading it all: class, size, labels, the shape of a sample."""
        dataset = self.dataset
        while isinstance(dataset, Subset):
            yield torch.tensor(dataset.indices).numpy().data
            dataset = dataset.dataset
        yield f"{type(dataset).__qualname__}{len(self)}{self.input_shape}".encode()
        yield from first_samples(dataset)
        if self.labels is not None:
            yield self.labels.numpy().data
        if self.preparation.changes:
            yield repr(self.preparation).encode()


@dataclass(frozen=True)
class StreamRows(_ByTarget):
    """An IterableDataset, of which `length` samples are an epoch."""

    dataset: IterableDataset[Any]
    length: int
    input_shape: tuple[int, ...]
    target: Tensor
    workers: int = 0
    preparation: Preparation = AS_GIVEN

    def __len__(self) -> int:
        return self.length

    @property
    def labels(self) -> None:
        return None

    def numbers(self) -> None:
        """A stream's rows are called by where they come in it."""

    def contents(self) -> Iterator[bytes | memoryview]:
        """What can be known without reading it: class, length, the shape of a sample."""
        yield f"{type(self.dataset).__qualname__}{self.length}{self.input_shape}".encode()


Rows = TensorRows | DatasetRows | PictureRows | StreamRows


@dataclass(frozen=True)
class RawSet:
    """What a data set provides: `test` and `val` where it has such a part of its own, `classes` empty for
    regression, `note` ("sample of 5,000") for the record, `warning` a sentence for the person, `said` what
    was done to the data. Without `divide_test` no test part is taken from train: the person has divided the
    set."""

    train: Rows
    val: Rows | None = None
    test: Rows | None = None
    classes: tuple[str, ...] = ()
    note: str = ""
    warning: str = ""
    divide_test: bool = True
    said: tuple[str, ...] = ()


def target_kind(target: Tensor) -> str:
    """What one row's target stands for: classes (an integer), soft (probabilities) or regression."""
    if not target.is_floating_point():
        return "classes"
    return "soft" if target.numel() > 1 else "regression"


def first_samples(dataset: Dataset[Any]) -> Iterator[bytes]:
    """The first inputs of a dataset, as bytes; random transforms draw from fixed generators."""
    with seeded(0):
        for index in range(min(FIRST, len(dataset))):  # type: ignore[arg-type]
            yield from _bytes(dataset[index])


def _bytes(sample: Any) -> Iterator[bytes]:
    """What an input is made of; nothing where it is no numbers by itself, and a collate makes them."""
    try:
        found = numbers(sample[0], "").contiguous()
    except (UserError, TypeError, ValueError, RuntimeError, LookupError):
        return
    yield found.reshape(-1).view(torch.uint8).numpy().tobytes()

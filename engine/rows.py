"""Rows of data before they become a source: tensors, a dataset or a stream, and a whole set of them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, Subset

from trainconsole.engine.samples import seeded

FIRST = 3


@dataclass(frozen=True)
class TensorRows:
    """Inputs (N, ...) as they were read (uint8 images, float64 tables) and targets: int64 (N,) for classes,
    floating (N, C) for soft targets, floating (N, 1) for regression. On the CPU."""

    inputs: Tensor
    targets: Tensor

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
        return replace(self, inputs=self.inputs[indices], targets=self.targets[indices])

    def contents(self) -> Iterator[bytes | memoryview]:
        """What tells these rows from others: all of them."""
        for tensor in (self.inputs, self.targets):
            yield f"{tensor.dtype}{tuple(tensor.shape)}".encode()
            yield tensor.contiguous().view(-1).view(torch.uint8).numpy().data


@dataclass(frozen=True)
class DatasetRows:
    """A map-style dataset, read sample by sample: `target` is the first one's, `labels` int64 (N,) where they
    are known beforehand."""

    dataset: Dataset[Any]
    input_shape: tuple[int, ...]
    target: Tensor
    labels: Tensor | None = None
    workers: int = 0

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    @property
    def kind(self) -> str:
        return target_kind(self.target)

    @property
    def outputs(self) -> int:
        return self.target.numel()

    def take(self, indices: Tensor) -> Self:
        """The rows at `indices`, int64 (n,)."""
        labels = None if self.labels is None else self.labels[indices]
        return replace(self, dataset=Subset(self.dataset, indices.tolist()), labels=labels)

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


@dataclass(frozen=True)
class StreamRows:
    """An IterableDataset, of which `length` samples are an epoch."""

    dataset: IterableDataset[Any]
    length: int
    input_shape: tuple[int, ...]
    target: Tensor
    workers: int = 0

    def __len__(self) -> int:
        return self.length

    @property
    def kind(self) -> str:
        return target_kind(self.target)

    @property
    def outputs(self) -> int:
        return self.target.numel()

    @property
    def labels(self) -> None:
        return None

    def contents(self) -> Iterator[bytes | memoryview]:
        """What can be known without reading it: class, length, the shape of a sample."""
        yield f"{type(self.dataset).__qualname__}{self.length}{self.input_shape}".encode()


Rows = TensorRows | DatasetRows | StreamRows


@dataclass(frozen=True)
class RawSet:
    """What a data set provides: `test` and `val` where it has such a part of its own, `classes` empty for
    regression, `note` ("sample of 5,000") for the record and `warning` a sentence for the person."""

    train: Rows
    val: Rows | None = None
    test: Rows | None = None
    classes: tuple[str, ...] = ()
    note: str = ""
    warning: str = ""


def target_kind(target: Tensor) -> str:
    """What one row's target stands for: classes (an integer), soft (probabilities) or regression."""
    if not target.is_floating_point():
        return "classes"
    return "soft" if target.numel() > 1 else "regression"


def first_samples(dataset: Dataset[Any]) -> Iterator[bytes]:
    """The first inputs of a dataset, as bytes; random transforms draw from fixed generators."""
    with seeded(0):
        for index in range(min(FIRST, len(dataset))):  # type: ignore[arg-type]
            yield torch.as_tensor(dataset[index][0]).contiguous().numpy().tobytes()

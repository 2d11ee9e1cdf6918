"""Single samples of a user's dataset, read in this process or in loading processes, and made into batches.

A sample's random transforms draw from generators set by (seed, epoch, position), whatever the number of
processes, so that a run can be resumed in mid-epoch. Failures travel as values: an exception that crosses
a process arrives as a page of traceback.
"""

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, Sampler, default_collate, get_worker_info

from trainconsole.engine.errors import UserError
from trainconsole.engine.imported import blame

Key = tuple[int, int]
Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Failure:
    """A sample or a batch that could not be made, and why."""

    text: str


class Positions(Sampler[Key]):
    """(index, position) of each sample of an epoch from `start` on."""

    def __init__(self, order: Tensor, start: int) -> None:
        self.order, self.start = order, start

    def __len__(self) -> int:
        return max(0, len(self.order) - self.start)

    def __iter__(self) -> Iterator[Key]:
        return zip(self.order[self.start :].tolist(), range(self.start, len(self.order)), strict=True)


class Samples(Dataset[Any]):
    """A dataset read by (index, position), under generators seeded from `seed` and the position."""

    def __init__(self, dataset: Dataset[Any], seed: int) -> None:
        self.dataset, self.seed = dataset, seed

    def __getitem__(self, key: Key) -> Any:
        index, position = key
        try:
            with seeded(int(np.random.SeedSequence([self.seed, position]).generate_state(1)[0])):
                return self.dataset[index]
        except Exception as error:
            return Failure(f"data: sample {index} of {type(self.dataset).__name__} failed: {blame(error)}")


class Tail(IterableDataset[Any]):
    """A stream without its first `start` samples, shared out evenly where several processes read it."""

    def __init__(self, dataset: IterableDataset[Any], start: int) -> None:
        self.dataset, self.start = dataset, start

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        share, left = divmod(self.start, worker.num_workers) if worker else (self.start, 0)
        skip = share + (worker is not None and worker.id < left)
        try:
            yield from islice(iter(self.dataset), skip, None)
        except Exception as error:
            yield Failure(f"data: the stream {type(self.dataset).__name__} failed: {blame(error)}")


def collate(samples: list[Any]) -> Any:
    """One batch from samples, by torch's default_collate; a Failure where it cannot be made."""
    for sample in samples:
        if isinstance(sample, Failure):
            return sample
    try:
        return default_collate(samples)
    except (TypeError, RuntimeError, KeyError, ValueError) as error:
        return Failure(f"data: the samples of a batch do not fit together: {blame(error)}")


def as_batch(collated: Any, classification: bool) -> Batch:
    """(inputs, targets) with the dtypes of a Batch, see sources.py. Raises UserError for anything else."""
    if isinstance(collated, Failure):
        raise UserError(collated.text)
    if not isinstance(collated, tuple | list) or len(collated) != 2:
        raise UserError(f"data: a sample must be (input, target), got {type(collated).__name__}")
    inputs, targets = collated
    if not isinstance(inputs, Tensor) or not isinstance(targets, Tensor):
        raise UserError(
            f"data: a sample must be (tensor, number or tensor), "
            f"got ({type(inputs).__name__}, {type(targets).__name__})"
        )
    return inputs.float(), as_targets(targets, classification)


def as_targets(targets: Tensor, classification: bool) -> Tensor:
    """int64 (N,) for class indices, float32 (N, C) for soft targets, float32 (N, 1) for regression."""
    if not classification:
        return targets.float().reshape(len(targets), -1)
    if targets.is_floating_point() and targets.ndim == 2 and targets.shape[1] > 1:
        return targets.float()
    if targets.is_floating_point():
        raise UserError(f"data: class indices must be integers, got {targets.dtype}")
    return targets.long().reshape(len(targets))


def quiet_worker(_: int) -> None:
    """Ctrl-C and a hang-up reach the whole process group; the training process alone decides."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """The global CPU generators of torch, numpy and random set to `seed`, and put back afterwards."""
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])
        random.setstate(before[2])

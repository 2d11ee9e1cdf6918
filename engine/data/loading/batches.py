"""How batches come out: from tensors on the device, from a dataset through a DataLoader, from a stream."""

import errno
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.data.draws import Draw
from trainconsole.engine.data.loading.collate import NO_ROOM, Batch, Collate, as_batch, collate_of
from trainconsole.engine.data.loading.sampling import Positions, Samples, quiet_worker, sample_name
from trainconsole.engine.data.loading.streams import OwnGenerators, Tail
from trainconsole.engine.data.scaling import Scaling
from trainconsole.engine.data.user.preparation import AS_GIVEN, Preparation

NO_SCALING = Scaling()


class Source(Protocol):
    """A split of the data. Batches are (inputs, targets) on the device: float32 (N, ...), and int64 (N,) for
    classes, float32 (N, C) for soft targets, float32 (N, 1) for regression."""

    @property
    def size(self) -> int:
        """The number of rows."""

    def batches(self, order: Tensor, start: int, batch_size: int) -> Iterator[Batch]:
        """The rows order[start:], `batch_size` at a time; the last short batch is kept.

        `order` is int64 (n,) on the CPU. Raises UserError where a user's dataset fails.
        """


@dataclass(frozen=True)
class TensorSource:
    """Rows held on the device: float32 inputs (N, ...) and targets (N, ...), already scaled."""

    inputs: Tensor
    targets: Tensor

    @property
    def size(self) -> int:
        return len(self.inputs)

    def batches(self, order: Tensor, start: int, batch_size: int) -> Iterator[Batch]:
        """See Source. index_select: 4 us a batch, where inputs[rows] takes 16."""
        inputs, targets = self.inputs, self.targets
        if start >= len(order):
            return
        for rows in torch.split(order[start:].to(inputs.device), batch_size):
            yield inputs.index_select(0, rows), targets.index_select(0, rows)


@dataclass(frozen=True)
class DatasetSource:
    """A map-style dataset through a DataLoader with `workers` processes (0: none)."""

    dataset: Dataset[Any]
    size: int
    device: torch.device
    classification: bool
    workers: int = 0
    scaling: Scaling = NO_SCALING
    preparation: Preparation = AS_GIVEN

    def batches(self, order: Tensor, start: int, batch_size: int) -> Iterator[Batch]:
        """See Source. Random transforms are seeded from the order, so (seed, epoch), and the position."""
        digest = hashlib.sha256(order.contiguous().numpy().data).digest()
        loader = DataLoader(
            Samples(self.dataset, int.from_bytes(digest[:8], "little")),
            batch_size=batch_size,
            sampler=Positions(order, start),
            **_loading(self.dataset, self.workers, self.device, seed=0),
        )
        done = start
        for batch in _alive(loader):
            name = partial(self._name, order[done : done + batch_size])
            inputs, targets = as_batch(batch, self.classification, self.preparation, name)
            done += len(inputs)
            yield self.scaling.apply(_to(inputs, self.device)), _to(targets, self.device)

    def _name(self, rows: Tensor, place: int) -> str:
        return sample_name(self.dataset, int(rows[place]))


@dataclass(frozen=True)
class StreamSource:
    """An IterableDataset, of which an epoch takes the first `size` samples, in the stream's own order."""

    dataset: IterableDataset[Any]
    size: int
    device: torch.device
    classification: bool
    workers: int = 0
    preparation: Preparation = AS_GIVEN

    def batches(self, order: Tensor, start: int, batch_size: int) -> Iterator[Batch]:
        """See Source; of `order` only its first number counts: it seeds what the stream draws.

        `start` > 0 skips forward: the samples before it are read and dropped. Raises UserError where the
        stream ends before `size` samples.
        """
        seed = int(order[0]) if len(order) else 0
        loader = DataLoader(
            Tail(self.dataset, start, batch_size, seed),
            batch_size=batch_size,
            **_loading(self.dataset, self.workers, self.device, seed),
        )
        left = self.size - start
        found = _alive(loader)
        for batch in (found if self.workers else OwnGenerators(found, seed)) if left > 0 else ():
            name = partial(self._name, self.size - left)
            inputs, targets = as_batch(batch, self.classification, self.preparation, name)
            yield _to(inputs[:left], self.device), _to(targets[:left], self.device)
            left -= len(inputs)
            if left <= 0:
                return
        if left > 0:
            raise UserError(f"data: the stream ended after {self.size - left:,} of {self.size:,} samples")

    def _name(self, done: int, place: int) -> str:
        return f"sample {done + place} of the stream {type(self.dataset).__name__}"


def epoch_order(
    size: int, seed: int, epoch: int, pool: Tensor | None = None, weights: Tensor | None = None
) -> Tensor:
    """The row at each position of an epoch: int64 on the CPU, a function of (seed, epoch) alone.

    A permutation of all `size` rows, or of `pool` (row indices, some of them more than once); with `weights`
    (size,) as many rows drawn with replacement, each in proportion to its weight.
    """
    rng = np.random.default_rng([seed, epoch, Draw.ORDER])
    if weights is not None:
        share = weights.double().numpy()
        return torch.from_numpy(rng.choice(size, size, p=share / share.sum()))
    if pool is not None:
        return pool[torch.from_numpy(rng.permutation(len(pool)))]
    return torch.from_numpy(rng.permutation(size))


def stream_order(size: int, seed: int, epoch: int) -> Tensor:
    """What stands for a stream's order, int64 (size,): one number from (seed, epoch), taking no memory."""
    number = int(np.random.default_rng([seed, epoch, Draw.ORDER]).integers(2**62))
    return torch.tensor([number]).expand(size)


def _loading(dataset: Any, workers: int, device: torch.device, seed: int) -> dict[str, Any]:
    """Without its own generator, iter(DataLoader) would draw from the global one."""
    return {
        "num_workers": workers,
        "collate_fn": Collate(collate_of(dataset)),
        "generator": torch.Generator().manual_seed(seed),
        "pin_memory": device.type == "cuda",
        "worker_init_fn": quiet_worker,
    }


def _alive(loader: DataLoader[Any]) -> Iterator[Any]:
    try:
        yield from loader
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise UserError(NO_ROOM) from error
        raise
    except RuntimeError as error:
        text = str(error).splitlines()[0]
        raise UserError(f"data: a loading process died: {text}\nTry data.workers = 0.") from error


def _to(tensor: Tensor, device: torch.device) -> Tensor:
    return tensor.to(device, non_blocking=True)

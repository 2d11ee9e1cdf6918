"""The order of a script's batches as a function of (seed, epoch), so that a run can jump to any place in it.

A map-style DataLoader's own samplers say which rows; the rest of it (collate, workers, pinned memory) is as
the script has it. What cannot be owned is passed through, and what is then not exact is said.
"""

import hashlib
import random
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.utils import data

from trainconsole.engine.tensors.random_state import generators_kept, seed_generators

Loader: TypeAlias = "data.DataLoader[Any]"

KNOWN = (
    data.SequentialSampler,
    data.RandomSampler,
    data.SubsetRandomSampler,
    data.WeightedRandomSampler,
    data.DistributedSampler,
)
"""Samplers whose order depends on a torch generator, or on set_epoch, alone."""


class Order(Protocol):
    """`batches` is their number in an epoch, None where nobody knows; `size` that of a batch; `warning` says
    what is not exact."""

    size: int
    warning: str

    @property
    def batches(self) -> int | None: ...

    def start(self, epoch: int, consumed: int) -> Iterator[Any]:
        """The batches of `epoch` (from 0), without the first `consumed`."""


def order_of(source: Iterable[Any], seed: int) -> Order:
    """The order of `source`: a DataLoader, a sequence, or anything that can be iterated over."""
    if isinstance(source, data.DataLoader):
        why = _not_owned(source)
        return Passed(source, why, seed) if why else Owned(source, seed)
    if isinstance(source, Sequence | Tensor):
        return Indexed(source)
    if iter(source) is source:
        return Passed(source, "an iterator cannot be read again: after an undo it goes on where it is")
    return Passed(source, "")


def _not_owned(loader: Loader) -> str:
    if isinstance(loader.dataset, data.IterableDataset):
        return "the order of an IterableDataset is its own"
    batched = loader.batch_sampler
    if batched is not None and type(batched) is not data.BatchSampler:
        return f"the order of {type(batched).__name__} is its own"
    sampler = loader.sampler if batched is None else batched.sampler
    if not isinstance(sampler, KNOWN) and not hasattr(sampler, "set_epoch"):
        return f"the order of {type(sampler).__name__}, which has no set_epoch(), is its own"
    return ""


class Indexed:
    """A sequence, in its own order: each item is a batch."""

    def __init__(self, source: Any) -> None:
        self.batches: int | None = len(source)
        self.size = 0
        self.warning = ""
        self._source = source

    def start(self, epoch: int, consumed: int) -> Iterator[Any]:
        for index in range(consumed, len(self._source)):
            yield self._source[index]


class Passed:
    """As it comes; to go to a place in it, it is read again and what is before that is dropped."""

    def __init__(self, source: Iterable[Any], why: str, seed: int = 0) -> None:
        self._seed = seed
        self.batches: int | None = _length(source)
        self.size = int(getattr(source, "batch_size", 0) or 0)
        self._source = source
        again = "a run that goes back reads it again from its beginning; exact where that gives the same"
        self.warning = f"{why}; {again}" if why and iter_again(source) else why

    def start(self, epoch: int, consumed: int) -> Iterator[Any]:
        if hasattr(self._source, "set_epoch"):
            self._source.set_epoch(epoch)
        # What a loader draws when it begins, and what leads to the place, is not part of the run's state.
        with generators_kept():
            if isinstance(self._source, data.DataLoader):
                seed_generators(mixed(self._seed, epoch, -3))
            items = iter(self._source)
            if consumed and iter_again(self._source):
                deque(islice(items, consumed), maxlen=0)
        return items


def iter_again(source: Iterable[Any]) -> bool:
    """Whether a second iterator begins anew."""
    return isinstance(source, data.DataLoader) or not isinstance(source, Iterator)


def _length(source: Any) -> int | None:
    try:
        return len(source)
    except TypeError:
        return None


class Owned:
    """A loader of our own over the script's dataset, with the script's settings and batches in our order."""

    def __init__(self, loader: Loader, seed: int) -> None:
        self.size = loader.batch_size or int(getattr(loader.batch_sampler, "batch_size", 0) or 0)
        self.warning = ""
        self._seed = seed
        self._script = loader
        self._given = _Given()
        self._generator = torch.Generator()
        self._ours = _like(loader, self._given, self._generator)

    @property
    def batches(self) -> int | None:
        return len(self._script)

    def start(self, epoch: int, consumed: int) -> Iterator[Any]:
        wanted = self._indices(epoch)
        self._given.batches = [
            _Place(self._seed, epoch, number, batch)
            for number, batch in enumerate(wanted)
            if number >= consumed
        ]
        # Of this the seeds of the workers come; those of each sample are set where it is made.
        self._generator.manual_seed(mixed(self._seed, epoch, -1))
        return iter(self._ours)

    def _indices(self, epoch: int) -> list[Any]:
        """Of each batch, or of each sample where the loader does not batch."""
        source = self._script.sampler if self._script.batch_sampler is None else self._script.batch_sampler
        sampler = getattr(source, "sampler", source)
        if hasattr(sampler, "set_epoch"):
            sampler.set_epoch(epoch)
        generator = getattr(sampler, "generator", None)
        kept = generator.get_state() if generator is not None else None
        with generators_kept():
            seed = mixed(self._seed, epoch, -2)
            seed_generators(seed)
            if generator is not None:
                generator.manual_seed(seed)
            found = list(source)
        if generator is not None:
            generator.set_state(kept)
        return found


class _Place:
    """The rows of a batch, and where in the run it is."""

    def __init__(self, seed: int, epoch: int, number: int, rows: Any) -> None:
        self.seed, self.epoch, self.number, self.rows = seed, epoch, number, rows


class _Given:
    """A batch sampler that gives what it was given."""

    def __init__(self) -> None:
        self.batches: list[_Place] = []

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _Rows:
    """The script's dataset, asked for a whole batch at a time; in a worker its generators are set first, so
    that what it draws depends on the place in the run and not on how many workers there are."""

    def __init__(self, dataset: Any, *, seeded: bool, batched: bool) -> None:
        self._dataset, self._seeded, self._batched = dataset, seeded, batched

    def __getitem__(self, place: _Place) -> Any:
        if self._seeded:
            _seed_worker(mixed(place.seed, place.epoch, place.number))
        if not self._batched:
            return self._dataset[place.rows]
        if callable(many := getattr(self._dataset, "__getitems__", None)):
            return many(place.rows)
        return [self._dataset[row] for row in place.rows]

    def __getattr__(self, name: str) -> Any:
        """A worker_init_fn that looks at the worker's dataset finds what is in the script's."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._dataset, name)


def _like(loader: Loader, given: _Given, generator: torch.Generator) -> Loader:
    """A loader without batches of its own: one index of it is a batch of the script's."""
    workers = loader.num_workers
    rows = _Rows(loader.dataset, seeded=workers > 0, batched=loader.batch_sampler is not None)
    more = {"prefetch_factor": loader.prefetch_factor, "persistent_workers": loader.persistent_workers}
    return data.DataLoader(
        rows,  # type: ignore[arg-type]
        batch_size=None,
        sampler=given,
        num_workers=workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context if workers else None,
        generator=generator,
        **(more if workers else {}),  # type: ignore[arg-type]
    )


def _seed_worker(seed: int) -> None:
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def mixed(*numbers: int) -> int:
    """A seed, 63 bits, of several numbers."""
    text = ",".join(map(str, numbers)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1

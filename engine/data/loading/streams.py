"""A user's stream, in one process or several: each sample once, from where a run goes on."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from trainconsole.engine.common.user_code import blame, call
from trainconsole.engine.data.loading.collate import Failure
from trainconsole.engine.data.loading.sampling import generator_states, seed_all, seeded, set_generators
from trainconsole.engine.data.user.arrays import labels, numbers
from trainconsole.engine.tensors import torch_internals

WATCHED = 3
"""Batches in which a stream may show that it draws from numpy's or Python's generator."""

FOR_EVER = 2**62


class Tail(IterableDataset[Any]):
    """A stream without its first `start` samples, which were taken `batch_size` at a time.

    Several processes read it only where it shares itself out (see `shares`): a batch comes from one process
    at a time, in turn, so that going on after some batches the turn is that of the next one.
    """

    def __init__(self, dataset: IterableDataset[Any], start: int, batch_size: int, seed: int) -> None:
        self.dataset, self.start, self.batch_size, self.seed = dataset, start, batch_size, seed

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from islice(iter(self.dataset), self._turn(), None)
        except Exception as error:
            yield Failure(f"data: the stream {type(self.dataset).__name__} failed: {blame(error)}")

    def _turn(self) -> int:
        """Take the generators, and the place among the processes. Returns how many samples to drop."""
        worker = get_worker_info()
        if worker is None:
            return self.start
        count, batches = worker.num_workers, self.start // self.batch_size
        place = (worker.id + batches) % count
        seed_all(self.seed + place)
        if count == 1:
            return self.start
        _appear(place, count, self.dataset)
        return -(-(batches - place) // count) * self.batch_size


class OwnGenerators:
    """In this process: what a stream draws comes from generators of its own, as in a loading process.

    To exchange numpy's and Python's takes 120 us a batch, torch's 2: they are left alone where the first
    batches draw nothing from them.
    """

    def __init__(self, batches: Iterator[Any], seed: int) -> None:
        self._batches = batches
        self._watched = WATCHED
        with seeded(seed):
            self._states = generator_states()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if not self._watched:
            return self._by_torch_alone()
        before = generator_states()
        set_generators(self._states)
        try:
            return next(self._batches)
        finally:
            after = generator_states()
            set_generators(before)
            self._watch(after)

    def _watch(self, after: tuple[Any, ...]) -> None:
        """`_watched` counts down to 0 while nothing is drawn; what draws is watched for ever."""
        drawn = after[2] != self._states[2] or not np.array_equal(after[1][1], self._states[1][1])
        if drawn or after[1][2] != self._states[1][2]:
            self._watched = FOR_EVER
        self._watched -= 1
        self._states = after

    def _by_torch_alone(self) -> Any:
        before = torch.get_rng_state()
        torch.set_rng_state(self._states[0])
        try:
            return next(self._batches)
        finally:
            self._states = (torch.get_rng_state(), *self._states[1:])
            torch.set_rng_state(before)


def shares(dataset: IterableDataset[Any], what: str) -> bool:
    """Whether a stream gives each of several loading processes samples of its own.

    It does so if it looks at get_worker_info(), and begins with another sample in the second of two
    processes than in the first. Raises UserError where it fails.
    """
    if not torch_internals.CAN_PRETEND:
        return False
    first, looked = _begun(dataset, 0, what)
    return looked and not _same(first, _begun(dataset, 1, what)[0])


def _begun(dataset: IterableDataset[Any], place: int, what: str) -> tuple[Any, bool]:
    before = get_worker_info()
    asked = _appear(place, 2, dataset)
    try:
        with seeded(0):
            return call(lambda: next(iter(dataset), None), what), asked.looked
    finally:
        torch_internals.set_worker_info(before)


class _Place:
    """What get_worker_info() returns: which of how many processes; notes whether anybody looks."""

    def __init__(self, place: int, count: int, dataset: Any) -> None:
        self.looked = False
        self.seed, self.dataset = torch.initial_seed(), dataset
        self._place, self._count = place, count

    @property
    def id(self) -> int:
        self.looked = True
        return self._place

    @property
    def num_workers(self) -> int:
        self.looked = True
        return self._count


def _appear(place: int, count: int, dataset: Any) -> _Place:
    found = _Place(place, count, dataset)
    torch_internals.set_worker_info(found)
    return found


def _same(first: Any, second: Any) -> bool:
    if first is None or second is None:
        return first is second
    try:
        inputs = numbers(first[0], ""), numbers(second[0], "")
        targets = labels(first[1], ""), labels(second[1], "")
    except Exception:
        return repr(first) == repr(second)
    return torch.equal(*inputs) and np.array_equal(np.asarray(targets[0]), np.asarray(targets[1]))

"""Single samples of a user's dataset, read in this process or in loading processes.

A sample's random transforms draw from generators set by (seed, epoch, position), whatever the number of
processes, so that a run can be resumed in mid-epoch. Failures travel as values: an exception that crosses
a process arrives as a page of traceback.
"""

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler, Subset

from trainconsole.engine.common.orphaned_files import die_with_parent
from trainconsole.engine.common.signals import obeyed
from trainconsole.engine.common.user_code import blame
from trainconsole.engine.data.loading.collate import Failure

NO_ROOM = (
    "data: /dev/shm, through which loading processes hand over their batches, has no room for one\n"
    "Set data.workers = 0 or a smaller batch_size; in a container, start it with a larger --shm-size."
)

Key = tuple[int, int]


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
            return Failure(f"data: {sample_name(self.dataset, index)} failed: {blame(error)}")


def own_index(dataset: Any, index: int) -> tuple[Any, int]:
    """The dataset that a Subset (of a Subset ...) takes its sample `index` from, and its index there."""
    while isinstance(dataset, Subset):
        dataset, index = dataset.dataset, int(dataset.indices[index])
    return dataset, index


def sample_name(dataset: Any, index: int) -> str:
    """A sample by the user's own index: "sample 33 of Photos"."""
    owner, row = own_index(dataset, index)
    return f"sample {row} of {type(owner).__name__}"


def quiet_worker(_: int) -> None:
    """Ctrl-C, a hang-up and a batch system's warning reach the whole process group; the training process
    alone decides, and takes its workers along."""
    for number in (*obeyed(), signal.SIGHUP):
        if number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
    die_with_parent()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """The global CPU generators of torch, numpy and random set to `seed`, and put back afterwards."""
    before = generator_states()
    seed_all(seed)
    try:
        yield
    finally:
        set_generators(before)


def seed_all(seed: int) -> None:
    """Set the global CPU generators of torch, numpy and random; those of accelerators stay."""
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def generator_states() -> tuple[Any, ...]:
    return torch.get_rng_state(), np.random.get_state(), random.getstate()


def set_generators(states: tuple[Any, ...]) -> None:
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])
    random.setstate(states[2])

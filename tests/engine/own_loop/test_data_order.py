"""The order of batches is a function of (seed, epoch), and any place in it can be jumped to."""

import random
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from trainconsole.engine.own_loop.data_order import order_of


class Rows(Dataset[Any]):
    """Draws from all generators, as augmentation does."""

    def __len__(self) -> int:
        return 23

    def __getitem__(self, index: int) -> Any:
        return index, float(torch.rand(())), float(np.random.rand()), random.random()


class Many(Rows):
    def __getitems__(self, indices: list[int]) -> list[Any]:
        return [self[index] for index in indices]


class WithEpoch(Sampler[int]):
    def __init__(self) -> None:
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter([(place + self.epoch) % 23 for place in range(23)])

    def __len__(self) -> int:
        return 23


LOADERS: dict[str, Any] = {
    "in order": lambda: DataLoader(Rows(), batch_size=4),
    "shuffled": lambda: DataLoader(Rows(), batch_size=4, shuffle=True),
    "drop_last": lambda: DataLoader(Rows(), batch_size=4, shuffle=True, drop_last=True),
    "one generator": lambda: DataLoader(Rows(), 4, shuffle=True, generator=torch.Generator().manual_seed(3)),
    "no batches": lambda: DataLoader(Rows(), batch_size=None, shuffle=True),
    "getitems": lambda: DataLoader(Many(), batch_size=4, shuffle=True),
    "weighted": lambda: DataLoader(Rows(), 4, sampler=WeightedRandomSampler([1.0, 3.0] * 11 + [1.0], 23)),
    "subset": lambda: DataLoader(Rows(), 4, sampler=SubsetRandomSampler(range(0, 23, 2))),
    "set_epoch": lambda: DataLoader(Rows(), 4, sampler=WithEpoch()),
    "replacement": lambda: DataLoader(Rows(), 4, sampler=RandomSampler(Rows(), True, 40)),
    "batches by a sampler": lambda: DataLoader(
        Rows(), batch_sampler=BatchSampler(SequentialSampler(Rows()), 5, False)
    ),
}


def listed(batches: Iterator[Any]) -> list[list[float]]:
    return [
        [float(value) for part in batch for value in torch.as_tensor(part).flatten()] for batch in batches
    ]


def rows(batches: Iterator[Any]) -> list[list[int]]:
    return [torch.as_tensor(batch[0]).flatten().tolist() for batch in batches]


@pytest.mark.parametrize("name", LOADERS)
def test_any_place_can_be_jumped_to(name: str) -> None:
    order = order_of(LOADERS[name](), 5)
    assert order.warning == ""
    whole = [rows(order.start(epoch, 0)) for epoch in (0, 1)]
    assert len(whole[0]) == order.batches
    again = order_of(LOADERS[name](), 5)
    torch.manual_seed(99)
    for epoch, consumed in ((1, 0), (0, 3), (1, len(whole[1]) - 1), (1, len(whole[1]))):
        assert rows(again.start(epoch, consumed)) == whole[epoch][consumed:]


@pytest.mark.parametrize("name", LOADERS)
def test_the_batches_are_those_of_the_loader(name: str) -> None:
    """As many, of the same sizes, and where nothing is drawn with replacement of the same rows."""
    ours, theirs = rows(order_of(LOADERS[name](), 5).start(0, 0)), rows(iter(LOADERS[name]()))
    assert [*map(len, ours)] == [*map(len, theirs)]
    if name not in ("weighted", "replacement", "drop_last"):
        assert sorted(chain(*ours)) == sorted(chain(*theirs))


def test_epochs_and_seeds_differ() -> None:
    found = {
        str(rows(order_of(LOADERS["shuffled"](), seed).start(epoch, 0)))
        for seed in (1, 2)
        for epoch in (0, 1)
    }
    assert len(found) == 4


def test_nothing_is_drawn_from_the_generators_of_the_run() -> None:
    torch.manual_seed(4)
    random.seed(4)
    before = torch.get_rng_state(), random.getstate()
    order_of(LOADERS["shuffled"](), 1).start(0, 0)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]


def test_a_generator_of_the_loaders_own_is_where_it_was() -> None:
    generator = torch.Generator().manual_seed(3)
    order_of(DataLoader(Rows(), 4, shuffle=True, generator=generator), 1).start(0, 0)
    assert torch.equal(generator.get_state(), torch.Generator().manual_seed(3).get_state())


def test_what_workers_draw_depends_on_the_place_alone() -> None:
    def loader(workers: int) -> "DataLoader[Any]":
        return DataLoader(Rows(), batch_size=4, shuffle=True, num_workers=workers)

    whole = listed(order_of(loader(1), 5).start(1, 0))
    assert listed(order_of(loader(2), 5).start(1, 0)) == whole
    assert listed(order_of(loader(2), 5).start(1, 3)) == whole[3:]


def test_persistent_workers_stay(tmp_path: Any) -> None:
    order = order_of(DataLoader(Rows(), 4, shuffle=True, num_workers=1, persistent_workers=True), 5)
    first = order.start(0, 0)
    next(first)
    assert len(rows(order.start(0, 2))) == 4
    assert len(rows(order.start(1, 0))) == 6


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(10))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (DataLoader(Stream(), batch_size=2), "IterableDataset"),
        (DataLoader(Rows(), batch_sampler=[[0, 1], [2]]), "list"),
        (iter(range(10)), "cannot be read again"),
    ],
)
def test_what_cannot_be_owned_is_said(source: Any, said: str) -> None:
    assert said in order_of(source, 0).warning


@pytest.mark.parametrize("source", [range(7), [torch.ones(2)] * 7, torch.arange(7), tuple(range(7))])
def test_a_sequence_is_jumped_in_by_index(source: Any) -> None:
    order = order_of(source, 0)
    assert (order.batches, order.warning) == (7, "")
    assert len([*order.start(0, 3)]) == 4


def test_a_stream_is_read_again_and_what_was_before_is_dropped() -> None:
    order = order_of(DataLoader(Stream(), batch_size=2), 0)
    found = [batch.tolist() for batch in order.start(0, 3) if isinstance(batch, Tensor)]
    assert found == [[6, 7], [8, 9]]

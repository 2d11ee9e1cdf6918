from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.data.loading.batches import (
    DatasetSource,
    StreamSource,
    TensorSource,
    epoch_order,
    stream_order,
)

CPU = torch.device("cpu")


class Noisy(Dataset):
    """Row i is (i, random numbers from torch, numpy and random); the target is i % 3."""

    def __init__(self, size: int = 23) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        import random

        return torch.tensor([index, torch.rand(()), np.random.rand(), random.random()]), index % 3


class Broken(Noisy):
    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        if index == 4:
            raise ValueError("row four is bad")
        return super().__getitem__(index)


class Ragged(Noisy):
    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return torch.zeros(index + 1), 0


class Counting(IterableDataset):
    def __init__(self, end: int) -> None:
        self.end = end

    def __iter__(self) -> Iterator[tuple[Tensor, float]]:
        for number in range(self.end):
            yield torch.tensor([float(number)]), float(number)


def tensor_source(size: int = 23) -> TensorSource:
    return TensorSource(torch.arange(float(size * 2)).view(size, 2), torch.arange(size) % 3)


def dataset_source(dataset: Dataset, workers: int = 0) -> DatasetSource:
    return DatasetSource(dataset, len(dataset), CPU, classification=True, workers=workers)


def gathered(source, order: Tensor, start: int, batch_size: int) -> tuple[Tensor, Tensor, list[int]]:
    batches = list(source.batches(order, start, batch_size))
    return (
        torch.cat([x for x, _ in batches]),
        torch.cat([y for _, y in batches]),
        [len(x) for x, _ in batches],
    )


@given(st.integers(1, 200), st.integers(0, 2**63 - 1), st.integers(0, 500))
def test_order_is_a_permutation_and_a_function_of_seed_and_epoch(size, seed, epoch):
    order = epoch_order(size, seed, epoch)
    torch.rand(3)
    assert order.dtype == torch.int64
    assert torch.equal(order, epoch_order(size, seed, epoch))
    assert torch.equal(order.sort().values, torch.arange(size))


def test_orders_differ_by_seed_and_epoch():
    orders = {tuple(epoch_order(50, s, e).tolist()) for s in range(4) for e in range(4)}
    assert len(orders) == 16


def test_pool_is_permuted_with_its_repetitions():
    pool = torch.tensor([0, 1, 2, 2, 2])
    order = epoch_order(3, 1, 1, pool=pool)
    assert torch.equal(order.sort().values, pool)
    assert not torch.equal(
        epoch_order(3, 1, 1, pool=pool.repeat(9)), epoch_order(3, 1, 2, pool=pool.repeat(9))
    )


def test_weighted_order_draws_in_proportion():
    weights = torch.tensor([0.0, 1.0, 3.0]).repeat(4000)
    order = epoch_order(len(weights), 0, 0, weights=weights)
    found = torch.bincount(order % 3, minlength=3) / len(order)
    assert len(order) == len(weights)
    assert torch.allclose(found, torch.tensor([0.0, 0.25, 0.75]), atol=0.02)


@given(st.integers(0, 23), st.integers(1, 30))
def test_tensor_source_yields_the_order_from_start_with_a_short_last_batch(start, batch_size):
    source, order = tensor_source(), epoch_order(23, 0, 1)
    batches = list(source.batches(order, start, batch_size))
    wanted = order[start:]
    assert [len(x) for x, _ in batches] == [len(rows) for rows in wanted.split(batch_size) if len(rows)]
    if batches:
        assert torch.equal(torch.cat([x for x, _ in batches]), source.inputs[wanted])
        assert torch.equal(torch.cat([y for _, y in batches]), source.targets[wanted])


@pytest.mark.parametrize("workers", [0, 2])
def test_dataset_source_resumed_from_start_goes_on_with_the_same_samples(workers):
    """Random transforms included, and whatever the batch size and the number of processes."""
    order = epoch_order(23, 0, 1)
    inputs, targets, lengths = gathered(dataset_source(Noisy()), order, 0, 5)
    assert lengths == [5, 5, 5, 5, 3]
    assert torch.equal(inputs[:, 0], order.float())
    assert torch.equal(targets, order % 3)
    again, again_targets, _ = gathered(dataset_source(Noisy(), workers), order, 10, 4)
    assert torch.equal(again, inputs[10:])
    assert torch.equal(again_targets, targets[10:])


def test_dataset_source_draws_anew_in_each_epoch_and_leaves_the_global_generators_alone():
    source = dataset_source(Noisy())
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, _, _ = gathered(source, epoch_order(23, 0, 1), 0, 8)
    second, _, _ = gathered(source, epoch_order(23, 0, 2), 0, 8)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    for column in (1, 2, 3):
        assert len(torch.cat([first, second])[:, column].unique()) == 46


@pytest.mark.parametrize("workers", [0, 1])
def test_a_sample_that_fails_is_named_with_its_line(workers):
    with pytest.raises(
        UserError, match=r"sample 4 of Broken failed: ValueError: row four is bad \(.*:\d+\)"
    ) as e:
        list(dataset_source(Broken(), workers).batches(torch.arange(23), 0, 8))
    assert len(str(e.value).splitlines()) == 1


def test_samples_of_different_shapes_are_a_user_error():
    with pytest.raises(UserError, match="do not fit together"):
        list(dataset_source(Ragged()).batches(torch.arange(5), 0, 3))


def test_float_targets_are_no_class_indices():
    with pytest.raises(UserError, match="must be integers"):
        list(StreamSource(Counting(4), 4, CPU, classification=True).batches(stream_order(4, 0, 0), 0, 2))


@pytest.mark.parametrize("workers", [0, 1])
def test_stream_takes_its_length_and_skips_forward(workers):
    source = StreamSource(Counting(100), 10, CPU, classification=False, workers=workers)
    inputs, targets, lengths = gathered(source, stream_order(10, 0, 0), 0, 4)
    assert lengths == [4, 4, 2]
    assert inputs.flatten().tolist() == list(range(10))
    assert targets.shape == (10, 1)
    skipped, _, _ = gathered(source, stream_order(10, 0, 0), 7, 4)
    assert skipped.flatten().tolist() == [7, 8, 9]


def test_stream_that_ends_early_is_a_user_error():
    with pytest.raises(UserError, match="ended after 6 of 10"):
        list(StreamSource(Counting(6), 10, CPU, classification=False).batches(stream_order(10, 0, 0), 0, 4))


def test_stream_order_takes_no_memory():
    order = stream_order(10**12, 1, 2)
    assert len(order) == 10**12
    assert order[0] == stream_order(5, 1, 2)[0] != stream_order(5, 1, 3)[0]

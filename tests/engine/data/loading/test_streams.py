"""A stream gives each sample once, whatever the number of processes, also after a resume in mid-epoch."""

import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from support.resuming import go_on, live, start
from support.running import run
from torch.utils.data import IterableDataset, get_worker_info

from trainconsole.engine.data.loading.batches import StreamSource, stream_order
from trainconsole.engine.data.loading.streams import shares

CPU = torch.device("cpu")


class Plain(IterableDataset):
    """0, 1, 2, ... with a number from each generator; knows nothing of processes."""

    def __init__(self, size: int = 64, log: str = "") -> None:
        self.size, self.log = size, log

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[tuple[torch.Tensor, int]]:
        for i in range(self.size):
            if self.log:
                info = get_worker_info()
                self.log = f"{info.id if info else '-'}"
            yield torch.tensor([i, torch.rand(()), np.random.rand(), random.random()]), int(i >= 32)


class Sharing(Plain):
    """As torch's documentation has it: every process takes its share."""

    def __iter__(self) -> Iterator[tuple[torch.Tensor, int]]:
        info = get_worker_info()
        first, step = (info.id, info.num_workers) if info else (0, 1)
        for i in range(first, self.size, step):
            yield torch.tensor([float(i), 0.0, 0.0, 0.0]), int(i >= 32)


def gathered(stream: IterableDataset, workers: int, start: int = 0, batch: int = 5) -> torch.Tensor:
    source = StreamSource(stream, 64, CPU, classification=True, workers=workers)
    return torch.cat([x for x, _ in source.batches(stream_order(64, 3, 1), start, batch)])


def test_a_stream_is_the_same_in_this_process_and_in_another():
    """Its random numbers included; and it draws nothing from the generators of the run."""
    before = torch.get_rng_state(), random.getstate()
    here = gathered(Plain(), 0)
    assert here[:, 0].tolist() == list(range(64))
    assert torch.equal(here, gathered(Plain(), 1))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]


class Drawing(Plain):
    """Draws from torch's generator alone: the others are not exchanged after the first batches."""

    def __iter__(self) -> Iterator[tuple[torch.Tensor, int]]:
        return ((torch.rand(4), i % 2) for i in range(self.size))


def test_a_stream_that_draws_from_one_generator_is_the_same_everywhere():
    here, before = gathered(Drawing(), 0), torch.get_rng_state()
    assert torch.equal(here, gathered(Drawing(), 1))
    assert torch.equal(here[35:], gathered(Drawing(), 0, 35))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("start", [5, 60])
def test_a_stream_that_goes_on_in_mid_epoch_gives_the_samples_that_are_left(workers, start):
    assert torch.equal(gathered(Plain(), workers, start), gathered(Plain(), 0)[start:])


@pytest.mark.parametrize("start", [0, 4, 12, 24])
def test_a_stream_that_shares_itself_out_goes_on_with_the_process_whose_turn_it_is(start):
    whole = gathered(Sharing(), 3, 0, 4)[:, 0].tolist()
    assert sorted(whole) == list(range(64))
    assert gathered(Sharing(), 3, start, 4)[:, 0].tolist() == whole[start:]


def test_who_shares_itself_out_is_found_by_trying():
    assert shares(Sharing(), "data.name")
    assert not shares(Plain(), "data.name")
    assert not shares(Plain(log="x"), "data.name")
    assert not shares(Plain(size=0), "data.name")
    assert get_worker_info() is None


OWN = """
import os
import torch
from torch.utils.data import IterableDataset

class Stream(IterableDataset):
    classes = ["a", "b"]
    def __init__(self, log=None): self.log = log
    def __len__(self): return 64
    def __iter__(self):
        for i in range(64):
            if self.log:
                with open(self.log, "a") as file: print(os.getpid(), i, file=file)
            yield torch.tensor([float(i), 1.0, 0.0, 0.0]), int(i >= 32)

class Always(torch.nn.Linear):
    "Says b, which is true of half of the samples."
    def __init__(self):
        super().__init__(4, 2)
    def forward(self, x):
        return super().forward(x) * 0 + torch.tensor([0.0, 1.0])

def load(): return {"train": Stream(os.path.abspath("log")), "val": Stream(), "test": Stream()}
"""


def test_a_run_with_several_workers_counts_each_sample_once_and_says_how_it_reads(tmp_path, own_code):
    name = own_code(OWN)
    options = ["iris", "epochs=1", f"data.name={name}:load", f"model.name={name}:Always", "batch_size=8"]
    options += ["evaluation.batch_size=8"]
    ran = run(tmp_path, *options, "data.workers=3")
    assert ran.last["test"]["accuracy"] == 0.5
    assert ran.of("epoch")[0]["val"]["accuracy"] == 0.5
    (said,) = ran.of("started")[0]["data"]
    assert said.startswith("stream Stream read by one process, not 3")
    alone = run(tmp_path / "alone", *options)
    assert alone.of("started")[0]["data"] == []
    assert alone.curve() == ran.curve()


NOISE = """
import random
import numpy as np
import torch
from torch.utils.data import IterableDataset

class Stream(IterableDataset):
    classes = ["a", "b"]
    def __len__(self): return 64
    def __iter__(self):
        for i in range(64):
            yield torch.rand(4) + np.random.rand() + random.random(), i % 2

def load(): return {"train": Stream(), "val": Stream()}
"""


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_on_a_stream_that_dies_in_mid_epoch_goes_on_to_the_same_weights(tmp_path, own_code, workers):
    name = own_code(NOISE)
    options = [f"data.name={name}:load", f"data.workers={workers}", "epochs=2", "batch_size=8"]
    options += ["model.dropout=0.5"]
    whole = live(start(tmp_path / "whole", "iris", *options))
    dead = live(start(tmp_path / "dead", "iris", *options), after={3: ["checkpoint"]}, dies=5)
    ran = live(go_on(dead))
    assert ran.last["weights_sha256"] == whole.last["weights_sha256"]

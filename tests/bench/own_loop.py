"""A loop of one's own with everything recorded, against the same loop without trainconsole, one thread."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import torch
from torch import nn

import trainconsole
from bench import sets
from bench.plain import mlp
from bench.sets import Table
from bench.table import Row, row
from bench.turns import ratios, take_turns

BATCH = 64


class Batches(Sequence[Any]):
    """Batches of a table in memory, without an end."""

    def __init__(self, table: Table) -> None:
        self._inputs, self._targets = table
        self._count = len(self._inputs) // BATCH

    def __len__(self) -> int:
        return 10**9

    def __getitem__(self, index: Any) -> Any:
        at = index % self._count * BATCH
        return self._inputs[at : at + BATCH], self._targets[at : at + BATCH]


class Loop:
    """As everybody writes it; what it logs it keeps, or gives to `run.log`."""

    def __init__(self, table: Table, *, attached: bool) -> None:
        self._model = mlp(table[0].shape[1], (128,), 10)
        self._optimizer = torch.optim.Adam(self._model.parameters(), lr=1e-3)
        self._loss = nn.CrossEntropyLoss()
        self._run: Any = None
        batches = Batches(table)
        if attached:
            self._run = trainconsole.attach(model=self._model, optimizer=self._optimizer)
        self._batches = iter(self._run.batches(batches) if attached else batches)

    def run(self, steps: int) -> None:
        for inputs, targets in islice(self._batches, steps):
            self._optimizer.zero_grad()
            outputs = self._model(inputs)
            loss = self._loss(outputs, targets)
            loss.backward()
            self._optimizer.step()
            if self._run is not None:
                self._run.log(loss=loss)


def rows() -> Iterator[Row]:
    torch.set_num_threads(1)
    os.chdir(tempfile.mkdtemp())
    table = sets.flat_mnist()
    candidates = {"attached": Loop(table, attached=True), "plain": Loop(table, attached=False)}
    seconds = take_turns(candidates, steps=100, turns=120, warm_up=500)
    pairs = zip(seconds["attached"], seconds["plain"], strict=True)
    added = [1e6 * (ours - plain) for ours, plain in pairs]
    speed = ratios(seconds, "attached", "plain")
    yield row("own loop, MLP 784-128-10, attached: steps/s", "the same without", speed, 0.985)
    yield row("the same: time added to a step", "", added, 5.0, unit="us", better="below")
    yield row("the same: time of a step", "", [1e6 * s for s in seconds["plain"]], unit="us")

"""What a checkpoint of 25 million parameters with Adam's state costs the training: copied, then written by
another thread."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import torch

from bench.ours import data
from bench.table import Row, row
from trainconsole.engine.config.models import Mlp
from trainconsole.engine.config.optimizers import Adam
from trainconsole.engine.config.run import Checkpoints, RunConfig
from trainconsole.engine.protocol.commands import Interrupt, Request
from trainconsole.engine.protocol.events import CheckpointSaved
from trainconsole.engine.protocol.status import Status
from trainconsole.engine.record import run_directory
from trainconsole.engine.runs.launch import prepare
from trainconsole.engine.session import setup
from trainconsole.engine.training.step import Step
from trainconsole.engine.training.trainer import Trainer

HIDDEN = (4096, 4096, 1280)
EVERY = 10.0
"""Seconds between two: how often the default asks for one at most. Here in mid-epoch, where no evaluation
stands between two steps anyway."""
SECONDS = 45
COPIES = 7


class Watched:
    """An inbox that is empty until the time is over; when each step began and ended."""

    def __init__(self, trainer: Trainer) -> None:
        self.began: list[float] = []
        self.ended: list[float] = []
        self._step = trainer.train_step
        self._asked = False
        trainer.train_step = self._timed  # type: ignore[method-assign]

    def _timed(self) -> Step:
        self.began.append(time.perf_counter())
        step = self._step()
        self.ended.append(time.perf_counter())
        return step

    def empty(self) -> bool:
        over = bool(self.began) and self.ended[-1] - self.began[0] > SECONDS
        return self._asked or not over

    def get(self) -> Request | Interrupt:
        self._asked = True
        return Request(id="end", origin="console", command="stop last")

    @property
    def gaps(self) -> list[float]:
        """Seconds between the end of a step and the beginning of the next."""
        return [after - before for before, after in zip(self.ended, self.began[1:], strict=False)]


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        watched, saved = train(Path(folder))
    gaps = sorted(watched.gaps)[-saved:]
    share = 100 * sum(gaps) / (watched.ended[-1] - watched.began[0])
    what = "25 M parameters with Adam's state"
    longest = 1e3 * gaps[-1]
    spread = 1e3 * gaps[0], longest
    yield Row(f"{what}: longest gap of {saved} checkpoints", "two steps", longest, *spread, 50, "below", "ms")
    yield row(f"{what}: the same bytes copied by torch alone", "", bare(), unit="ms")
    yield Row(f"{what}: time spent, one every {EVERY:g} s", "training", share, share, share, 1, "below", "%")
    steps = [b - a for a, b in zip(watched.began, watched.ended, strict=True)]
    yield row(f"{what}: time of a step", "", [1e3 * s for s in steps], unit="ms")


def bare() -> list[float]:
    """Milliseconds that memory takes for it: parameters and two moments, into memory that is in place."""
    size = sum(a * b for a, b in zip((784, *HIDDEN), HIDDEN, strict=False))
    live, kept = ([torch.zeros(size) for _ in range(3)] for _ in range(2))
    took = []
    for _ in range(COPIES):
        began = time.perf_counter()
        for source, copy in zip(live, kept, strict=True):
            copy.copy_(source)
        took.append(1e3 * (time.perf_counter() - began))
    return took[1:]


def train(folder: Path) -> tuple[Watched, int]:
    """A run in this thread, of one long epoch; returns it and how many times it was saved before its end."""
    inputs, targets = torch.randn(4000, 784), torch.randint(0, 10, (4000,))
    model, optimizer = Mlp(hidden=HIDDEN), Adam(lr=1e-5)
    config = RunConfig(
        data=data((inputs, targets)),
        model=model,
        optimizer=optimizer,
        batch_size=2,
        checkpoint=Checkpoints(epoch_seconds=EVERY, step_seconds=EVERY),
    )
    launch = prepare(config, "bench", runs=folder, data_dir=folder, device="cpu")
    trainer = setup.set_up(launch, lambda stage: None)
    inbox, status = Watched(trainer), Status(pid=1, run="bench")
    loop, _ = setup.begin(trainer, launch, status, SimpleQueue(), inbox)  # type: ignore[arg-type]
    try:
        loop.run()
    finally:
        loop.close()
    events, _ = run_directory.read_events(launch.path)
    return inbox, sum(isinstance(event, CheckpointSaved) for event in events) - 1

"""Loops as people write them, each with trainconsole.attach in it, run in this process."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

import trainconsole
from trainconsole.engine.config.run import RunConfig, Script
from trainconsole.engine.protocol.events import AnyEvent, Finished
from trainconsole.engine.protocol.script import parse_at
from trainconsole.engine.record import run_directory
from trainconsole.engine.runs import scripts
from trainconsole.engine.runs.launch import prepare

BATCHES = 6
"""In an epoch."""


@dataclass
class Setting:
    """What a loop trains."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    loader: "DataLoader[Any]"
    inputs: Tensor
    targets: Tensor
    leaves: bool = False
    given: Any = None

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(self.model(inputs), targets)

    def update(self, loss: Tensor) -> None:
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()


def setting(optimizer: type[torch.optim.Optimizer] = torch.optim.SGD, **options: Any) -> Setting:
    torch.manual_seed(1)
    inputs = torch.randn(8 * BATCHES, 5)
    targets = (inputs.sum(1) > 0).long()
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 2))
    made = optimizer(model.parameters(), **({"lr": 0.1} | options))
    loader = DataLoader(TensorDataset(inputs, targets), batch_size=8, shuffle=True)
    return Setting(model, made, loader, inputs, targets)


def scheduled(run: Any, it: Setting, epochs: int) -> None:
    """A schedule that steps with each update."""
    each = lr_scheduler.OneCycleLR(it.optimizer, 0.2, total_steps=epochs * BATCHES)
    with attached(run, it, scheduler=each) as run:
        for _ in run.epochs(epochs):
            for x, y in run.batches(it.loader):
                loss = it.loss(x, y)
                it.update(loss)
                each.step()
                run.log(loss=loss)


def by_epoch(run: Any, it: Setting, epochs: int) -> None:
    schedule = lr_scheduler.StepLR(it.optimizer, 1, 0.7)
    with attached(run, it, scheduler=schedule) as run:
        for _ in run.epochs(epochs):
            for x, y in run.batches(it.loader):
                loss = it.loss(x, y)
                it.update(loss)
                run.log(loss=loss)
            # In training mode: it draws for the dropout.
            run.evaluate(lambda: {"accuracy": (it.model(it.inputs).argmax(1) == it.targets).float().mean()})
            schedule.step()


def by_epoch_before(run: Any, it: Setting, epochs: int) -> None:
    schedule = lr_scheduler.ExponentialLR(it.optimizer, 0.8)
    with attached(run, it, scheduler=schedule) as run:
        for epoch in run.epochs(epochs):
            if epoch:
                schedule.step()
            for x, y in run.batches(it.loader):
                it.update(it.loss(x, y))


def accumulated(run: Any, it: Setting, epochs: int) -> None:
    with attached(run, it) as run:
        for _ in run.epochs(epochs):
            for i, (x, y) in enumerate(run.batches(it.loader)):
                loss = it.loss(x, y) / 2
                loss.backward()  # type: ignore[no-untyped-call]
                run.log(loss=loss * 2)
                if i % 2:
                    it.optimizer.step()
                    it.optimizer.zero_grad()


def in_two_passes(run: Any, it: Setting, epochs: int) -> None:
    other = DataLoader(TensorDataset(it.inputs.neg(), 1 - it.targets), batch_size=16)
    with attached(run, it) as run:
        for _ in run.epochs(epochs):
            for loader in (it.loader, other):
                for x, y in run.batches(loader):
                    loss = it.loss(x, y)
                    it.update(loss)
                    run.log(loss=loss)


def counting_itself(run: Any, it: Setting, epochs: int) -> None:
    with attached(run, it) as run:
        for _ in range(epochs):
            for x, y in run.batches(it.loader):
                loss = it.loss(x, y)
                it.update(loss)
                run.log(loss=loss)


def in_two_phases(run: Any, it: Setting, epochs: int) -> None:
    """Two loops one after the other, the first left early."""
    with attached(run, it) as run:
        given = []
        for phase, count in enumerate((2, epochs)):
            for epoch in run.epochs(count):
                given.append((phase, epoch))
                for x, y in run.batches(it.loader):
                    loss = it.loss(x, y)
                    it.update(loss)
                    run.log(loss=loss)
                if phase == 0 and epoch == 0 and it.leaves:
                    break
        it.given = given


LOOPS: tuple[Callable[[Any, Setting, int], None], ...] = (
    scheduled,
    by_epoch,
    by_epoch_before,
    accumulated,
    in_two_passes,
    counting_itself,
    in_two_phases,
)


def attached(run: Any, it: Setting, **more: Any) -> Any:
    """`run` is what makes it: None for a plain attach."""
    return trainconsole.attach(model=it.model, optimizer=it.optimizer, **more)


@dataclass(frozen=True)
class Ran:
    """A run that is over."""

    path: Path
    events: list[AnyEvent]

    @property
    def finished(self) -> Finished:
        return next(event for event in reversed(self.events) if isinstance(event, Finished))

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def ran(
    runs: Path,
    loop: Callable[[Any, Setting, int], None],
    *commands: str,
    epochs: int = 3,
    it: Setting | None = None,
    start: scripts.Start | None = None,
) -> Ran:
    """Run `loop` with commands at their times ("step 3: lr x0.5"), or for `start`."""
    if start is None:
        config = RunConfig(script=Script(cwd=str(runs)), seed=7, commands=tuple(map(parse_at, commands)))
        start = scripts.Start(path=str(prepare(config, "loop", runs=runs, data_dir=runs).path))
    os.environ[scripts.VARIABLE] = scripts.environment(start)[scripts.VARIABLE]
    try:
        loop(None, it or setting(), epochs)
    finally:
        os.environ.pop(scripts.VARIABLE, None)
    path = Path(start.path)
    return Ran(path, run_directory.read_events(path)[0])

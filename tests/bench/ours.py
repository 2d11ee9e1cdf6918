"""The console's engine as a candidate: the loop of a real run, with its run directory, in turns."""

import sys
import tempfile
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType

import torch

from bench.turns import Gate
from trainconsole.engine.config.data import ImportedData, Split
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.protocol.commands import Interrupt, Request
from trainconsole.engine.protocol.status import Status
from trainconsole.engine.reporting.stopwatch import Stopwatch
from trainconsole.engine.runs.launch import prepare
from trainconsole.engine.session import setup


def data(parts: object) -> ImportedData:
    """Data of the user's own: the very tensors that the others train on."""
    module = ModuleType("bench_data")
    module.__dict__["load"] = lambda: parts
    sys.modules["bench_data"] = module
    return ImportedData(target="bench_data:load", split=Split(test=0.0, validation=0.0))


class Inbox(Gate):
    """An inbox in which nothing ever is: the loop looks into it at each step boundary."""

    watch = Stopwatch()

    def empty(self) -> bool:
        self.step()
        return True

    def get(self) -> Request | Interrupt:
        raise NotImplementedError

    def leave(self) -> None:
        """Others' turns are a pause; their loops have the flags that torch comes with."""
        self.watch.stop()
        torch.set_deterministic_debug_mode("default")

    def enter(self) -> None:
        torch.set_deterministic_debug_mode("warn")
        self.watch.start()


class Ours:
    """A run of `config`, without an end. One that is not wanted any more is let stand."""

    def __init__(self, config: RunConfig, threads: int) -> None:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        launch = prepare(config, "bench", runs=folder, data_dir=folder, device="cpu", threads=threads)
        self.trainer = setup.set_up(launch, lambda stage: None)
        self._inbox = Inbox()
        status = Status(pid=1, run="bench")
        loop, report = setup.begin(self.trainer, launch, status, SimpleQueue(), self._inbox)  # type: ignore[arg-type]
        self._inbox.watch = report.watch
        self._inbox.start(loop.run)

    def run(self, steps: int) -> None:
        self._inbox.open(steps)

"""The console's engine as a candidate: the loop of a real run, with its run directory, in turns."""

import tempfile
from pathlib import Path
from queue import SimpleQueue

import torch
from bench.turns import Gate

from trainconsole.engine import session
from trainconsole.engine.config import RunConfig
from trainconsole.engine.launch import prepare
from trainconsole.engine.messages import Interrupt, Request, Status
from trainconsole.engine.stopwatch import Stopwatch


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
        self.trainer = session.set_up(launch, lambda stage: None)
        self._inbox = Inbox()
        status = Status(pid=1, run="bench")
        loop, report = session.begin(self.trainer, launch, status, SimpleQueue(), self._inbox)  # type: ignore[arg-type]
        self._inbox.watch = report.watch
        self._inbox.start(loop.run)

    def run(self, steps: int) -> None:
        self._inbox.open(steps)

"""A person at a loop that is another library's: commands said at a step, and what each update then used."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from torch import optim

from trainconsole.engine.attach import attach
from trainconsole.engine.protocol.commands import Request
from trainconsole.engine.record.metric_rows import ROW, Rows

KEPT = ("lr", "weight_decay", "momentum")


class Person:
    """`says` are commands by the number of the update after which they are served."""

    def __init__(self, says: Mapping[int, Sequence[str]] | None = None) -> None:
        self.says = dict(says or {})
        self.used: list[dict[str, Any]] = []
        self.own: list[float] = []
        self.paused_at: list[int] = []

    def watch(self, optimizer: optim.Optimizer) -> None:
        """What each update of it uses, seen after all hooks that are there."""
        optimizer.register_step_pre_hook(self._see)

    def speak(self, update: int) -> None:
        """Before the boundary after `update` (from 1)."""
        for text in self.says.get(update, ()):
            inbox().put(Request(id=f"{update}-{text}", origin="test", command=text))

    def _see(self, one: optim.Optimizer, args: Any, kwargs: Any) -> None:
        group = one.param_groups[0]
        self.used.append(
            {"kind": type(one).__name__, **{name: group[name] for name in KEPT if name in group}}
        )


def inbox() -> Any:
    """Of the run that is live in this process."""
    return attach._sessions[-1].host.inbox


class Record:
    """What a run says of itself."""

    def __init__(self, runs: Path) -> None:
        self.path = max(runs.iterdir())
        self.rows: Rows = np.fromfile(self.path / "metrics.bin", dtype=ROW)
        lines = (self.path / "events.jsonl").read_bytes().splitlines()
        self.events: list[dict[str, Any]] = [msgspec.json.decode(line) for line in lines]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    def applied(self, verb: str) -> dict[str, Any]:
        """The acknowledgement of the command that begins with `verb`."""
        return next(event for event in self.of("command_applied") if event["command"].startswith(verb))

    def rejected(self, verb: str) -> str:
        """The reason."""
        found = (event for event in self.of("command_rejected") if event["command"].startswith(verb))
        return str(next(found)["reason"])

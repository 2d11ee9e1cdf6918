"""A run in this process and this thread: real data, real training, a real run directory; no waiting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from trainconsole import presets
from trainconsole.engine.boundary import command_queue
from trainconsole.engine.config.parsing import override
from trainconsole.engine.config.run import RunConfig, Scripted
from trainconsole.engine.protocol.commands import Interrupt, Request
from trainconsole.engine.protocol.events import Event
from trainconsole.engine.protocol.script import parse_at
from trainconsole.engine.protocol.status import Status
from trainconsole.engine.record import run_directory
from trainconsole.engine.record.metric_rows import Rows
from trainconsole.engine.runs.launch import Launch, prepare
from trainconsole.engine.session import setup
from trainconsole.engine.training.trainer import Trainer

Wish = str | Interrupt

# On a busy machine a boundary may take long: a command given for it is to be served at it all the same.
command_queue.LONGEST = 60.0


class Hand:
    """An inbox: gives out commands once so many updates are done, and the next of `waits` when the loop has
    nothing to do but wait. A wait for which there is no command left would be for ever: it fails."""

    def __init__(self, after: Mapping[int, Sequence[Wish]], waits: Sequence[Wish]) -> None:
        self.trainer: Trainer | None = None
        self._after = [(step, wish) for step, wishes in sorted(after.items()) for wish in wishes]
        self._waits = list(waits)
        self._given = 0

    def put(self, wish: Wish | Request) -> None:
        """For the very next look."""
        assert not isinstance(wish, Request)
        self._after.insert(0, (0, wish))

    def empty(self) -> bool:
        done = self.trainer.step if self.trainer else 0
        return not self._after or self._after[0][0] > done

    def get(self) -> Request | Interrupt:
        if not self.empty():
            return self._request(self._after.pop(0)[1])
        assert self._waits, "the run waits for a command, and none is to come"
        return self._request(self._waits.pop(0))

    def _request(self, wish: Wish) -> Request | Interrupt:
        if isinstance(wish, Interrupt):
            return wish
        self._given += 1
        return Request(id=f"hand-{self._given}", origin="test", command=wish)


@dataclass
class Ear:
    """An outbox: every event as it is written, with what the run directory held at that moment."""

    run: Path
    events: list[Event] = field(default_factory=list)
    rows_then: list[int] = field(default_factory=list)
    lines_then: list[int] = field(default_factory=list)

    def put(self, event: Event | None) -> None:
        assert event is not None
        self.events.append(event)
        rows = run_directory.read_rows(self.run)
        self.rows_then.append(int(rows["step"][-1]) if len(rows) else 0)
        self.lines_then.append(len((self.run / "events.jsonl").read_bytes().splitlines()))


@dataclass(frozen=True)
class Ran:
    """A run that is over: what it said, what it wrote, what it is."""

    path: Path
    launch: Launch
    trainer: Trainer
    status: Status
    heard: Ear

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines of events.jsonl."""
        return [msgspec.json.decode(line) for line in (self.path / "events.jsonl").read_bytes().splitlines()]

    @property
    def rows(self) -> Rows:
        return run_directory.read_rows(self.path)

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] in kinds]

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]

    @property
    def answers(self) -> list[dict[str, Any]]:
        return self.of("command_applied", "command_rejected")

    @property
    def applied(self) -> list[dict[str, Any]]:
        return self.of("command_applied")

    @property
    def rejected(self) -> list[dict[str, Any]]:
        return self.of("command_rejected")

    def checkpoint(self, name: str) -> dict[str, Any]:
        """checkpoints/NAME.pt, read by torch alone."""
        import torch

        state: dict[str, Any] = torch.load(self.path / "checkpoints" / f"{name}.pt", weights_only=True)
        return state

    def curve(self) -> list[tuple[int, float, float]]:
        """What two equal runs have in common: step, loss and rate of each row."""
        rows = self.rows
        columns = rows["step"].tolist(), rows["loss"].tolist(), rows["lr"].tolist()
        return [(step, loss, lr) for step, loss, lr in zip(*columns, strict=True)]


def config(preset: str = "iris", *assignments: str, at: Sequence[str] = ()) -> RunConfig:
    """A preset with --set and --at; four epochs unless they say otherwise."""
    _, chosen = presets.load(preset)
    chosen = override(chosen, ["epochs=4", *assignments])
    scripted: list[Scripted] = [parse_at(text) for text in at]
    return msgspec.structs.replace(chosen, commands=(*chosen.commands, *scripted))


def run(
    folder: Path,
    preset: str = "iris",
    *assignments: str,
    at: Sequence[str] = (),
    after: Mapping[int, Sequence[Wish]] | None = None,
    waits: Sequence[Wish] = (),
) -> Ran:
    """Train to the end in `folder`: `at` is scripted, `after` comes in by hand once so many updates are done,
    `waits` one by one while the run is paused."""
    return run_config(folder, config(preset, *assignments, at=at), after=after, waits=waits)


def run_config(
    folder: Path,
    chosen: RunConfig,
    *,
    after: Mapping[int, Sequence[Wish]] | None = None,
    waits: Sequence[Wish] = (),
    repeats: Mapping[str, Any] | None = None,
) -> Ran:
    launch = prepare(chosen, "test", runs=folder, data_dir=folder / "data", device="cpu", threads=1)
    launch = msgspec.structs.replace(launch, repeats=dict(repeats or {}))
    hand, heard = Hand(after or {}, waits), Ear(launch.path)
    trainer = setup.set_up(launch, lambda stage: None)
    hand.trainer = trainer
    status = Status(pid=1, run=launch.path.name)
    loop, report = setup.begin(trainer, launch, status, heard, hand)  # type: ignore[arg-type]
    try:
        loop.run()
    finally:
        loop.close()
    return Ran(launch.path, launch, trainer, report.status, heard)


def rates(ran: Ran) -> dict[int, float]:
    """By step: the rate of that row, as the float32 that it is kept in."""
    return dict(zip(ran.rows["step"].tolist(), ran.rows["lr"].tolist(), strict=True))


def single(value: float) -> float:
    """As a row keeps it."""
    return float(np.float32(value))

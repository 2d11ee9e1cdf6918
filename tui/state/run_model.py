"""What the console has read of one run, and what its curves are drawn from. Owns nothing that trains."""

import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.events import AnyEvent, CommandApplied, Failed, Finished, Interrupted
from trainconsole.engine.protocol.status import Status
from trainconsole.engine.record.metric_rows import ROW, Rows
from trainconsole.engine.record.run_directory import read_config
from trainconsole.engine.record.scalars import Found
from trainconsole.engine.runs import verdicts
from trainconsole.tui.state.event_history import Ending, Story
from trainconsole.tui.state.feed import PIECE, Feed
from trainconsole.tui.state.learning_rate import along
from trainconsole.tui.state.metric_store import Track
from trainconsole.tui.state.offline_status import standing
from trainconsole.tui.state.own_numbers import OwnNumbers
from trainconsole.tui.state.scene import Mark, Scene
from trainconsole.tui.text.format import harmless, real
from trainconsole.tui.text.timeline import Entry

NONE = np.zeros(0, ROW)
Measured = tuple[tuple[int, Mapping[str, float]], ...]
"""(step, values by name) of each validation."""
Rates = tuple[tuple[int, float], ...]
"""(step, rate)."""
NOTICEABLE = 0.5
"""Seconds of an evaluation before it is said: on small data sets the word would only flicker."""
MARKS = 2000
"""Of the commands in force, the newest are marked."""
AHEAD = 120
"""Points of the learning rate that is still to come."""


class Sight:
    """Status, events and rows of a run as far as they were read. `take` feeds it, a host or a test."""

    def __init__(self, run: Path, preset: str = "") -> None:
        self.run = run
        self.story = Story()
        self.track = Track()
        self.own = OwnNumbers(self.story.forks)
        self.status = Status(pid=0, run=run.name)
        self.gone = False
        self.expected = False
        self._preset = preset
        self._undo: str | None = None
        self._unread = 0
        self._refused = dict[str, str]()
        self._since = 0.0
        self._told: tuple[int, Measured, tuple[Mark, ...]] = (0, (), ())
        self._ahead: tuple[object, Rates] = (None, ())

    def take(
        self,
        *,
        status: Status | None = None,
        events: Iterable[AnyEvent] = (),
        rows: Rows | None = None,
        own: Found = (),
    ) -> None:
        """Rows and own numbers come with the events that precede them or later."""
        if status is not None:
            self._since = self._since if status.stage == self.status.stage else time.monotonic()
            self.status = status
        count = self.story.count
        self.story.take(events)
        self.own.take(own)
        if rows is None and self.story.count == count:
            return
        self.track.extend(NONE if rows is None else rows, self.story.forks)

    def read(self, feed: Feed, seconds: float = math.inf) -> bool:
        """What is new on disk, for about so many seconds; whether that was all. Raises UserError.

        Forks stand in the events before the rows that follow them.
        """
        until = time.monotonic() + seconds
        self.take(events=feed.events(PIECE))
        while not feed.told:
            if time.monotonic() > until:
                return False
            self.take(events=feed.events(PIECE))
        while True:
            rows = feed.rows()
            self.take(events=feed.events(), rows=rows if len(rows) else None)
            if feed.drawn:
                self._say_unread(feed.unread_rows)
                return self._read_own(feed, until)
            if time.monotonic() > until:
                return False

    def _read_own(self, feed: Feed, until: float) -> bool:
        """Own numbers; of a branch that no event tells of yet they count once one does."""
        while True:
            self.own.take(feed.own_numbers())
            if feed.logged or time.monotonic() > until:
                break
        for name, why in feed.refused.items():
            if self._refused.get(name) != why:
                self._refused[name] = why
                self.story.say(f"own numbers {harmless(name)!r} cannot be read: {why}")
        return feed.logged

    def _say_unread(self, count: int) -> None:
        """Once, and again when there are more."""
        if count > self._unread:
            self._unread = count
            self.story.say(f"{count:,} rows of metrics.bin cannot be read and are left out")

    def settle(self) -> None:
        """Nobody trains the run any more: say where it stood, and that nobody will answer."""
        self.gone, self.expected = True, False
        self.story.abandon("the host is gone")
        try:
            self.status = standing(self.run, self.story, self.track.last)
        except UserError:
            return

    def newest(self, most: int) -> list[Entry]:
        """The newest entries of the timeline; before them what keeps the host from going on."""
        trouble = [Entry("warning", self.status.error)] if self.status.error else []
        return [*trouble, *self.story.newest(most)][:most]

    @property
    def stage(self) -> str:
        """What a run is at; of one that nobody trains how it ended."""
        match self.ending:
            case Finished():
                return "finished"
            case Interrupted():
                return "interrupted"
            case Failed():
                return "failed"
        if self.gone:
            return "host is gone"
        brief = self.status.stage == "evaluating" and time.monotonic() - self._since < NOTICEABLE
        return "training" if brief else self.status.stage

    @property
    def ending(self) -> Ending | None:
        """The event that ended the run; not that of a session which a host that is there goes on from."""
        ending = self.story.ending
        return None if ending is None or (self.expected and self.status.last_seq < ending.seq) else ending

    @property
    def over(self) -> bool:
        return self.gone or self.ending is not None

    @property
    def preset(self) -> str:
        started = self.story.started
        return started.preset if started is not None else self._preset or self.run.name

    @property
    def device(self) -> str:
        started = self.story.started
        if started is None:
            return ""
        return f"{harmless(started.device)}, {started.threads} thread{'s' if started.threads != 1 else ''}"

    @property
    def undo(self) -> str:
        """What was measured of undo in this script, or how that is done; "" of a run that is no script's."""
        if self._undo is None:
            self._undo = _measured_undo(self.run)
        return self._undo

    @property
    def metric(self) -> str:
        """The metric that rows have: batch-wise, accuracy or mae."""
        return self.status.metric_name or "accuracy"

    @property
    def planned(self) -> int:
        """Steps in all, as far as is known."""
        done = int(self.track.last["step"]) if self.track.last is not None else self.own.last_step
        return max(done, self.status.steps, 1)

    def scene(self) -> Scene:
        """What there is to draw now."""
        best, (_, validation, marks) = self.story.best, self._from_events()
        return Scene(
            track=self.track,
            steps=self.planned,
            metric=self.metric,
            epochs=float(self.status.epochs),
            validation=validation,
            marks=marks,
            best=None if best is None else (best.step, real(best.value), best.metric),
            ahead=() if self.over else self._to_come(),
            stage=self.stage,
            own=self.own,
        )

    def _from_events(self) -> tuple[int, Measured, tuple[Mark, ...]]:
        """Worked out only when there are new ones: a long run has many."""
        count = self.story.count
        if self._told[0] != count:
            validation = tuple((e.step, figures(e.val)) for e in self.story.epochs if e.val is not None)
            self._told = count, validation, tuple(map(_mark, self.story.changes[-MARKS:]))
        return self._told

    def _to_come(self) -> Rates:
        """Worked out again once it would look different."""
        status = self.status
        key = status.plan, status.steps, status.epochs, status.step * AHEAD // max(status.steps, 1)
        if key != self._ahead[0]:
            self._ahead = key, ahead(status)
        return self._ahead[1]


def _measured_undo(run: Path) -> str:
    try:
        script = read_config(run).script
    except UserError:
        return ""
    return verdicts.told(script) if script is not None else ""


def _mark(change: CommandApplied) -> Mark:
    return Mark(change.step, harmless(change.command[:1]) or "?")


def figures(measured: Mapping[str, float | None]) -> Mapping[str, float]:
    """What was measured; what was not finite, and so null in the record, as nan."""
    return {name: real(value) for name, value in measured.items()}


def ahead(status: Status, points: int = AHEAD) -> Rates:
    """(step, rate) from the next update to the end of the run, as the plan in force has it."""
    if status.plan is None or status.steps <= status.step:
        return ()
    left = status.steps - status.step
    count = min(points, left)
    steps = [status.step + round(left * index / count) for index in range(count + 1)]
    return tuple(zip(steps, along(status, status.plan, steps), strict=True))

"""What the loop says to the world: events and rows into the record, the status replaced whole."""

import errno
import queue
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from msgspec.structs import replace

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.commands import Request
from trainconsole.engine.protocol.events import CommandApplied, CommandRejected, Event, Warned
from trainconsole.engine.protocol.status import Stage, Status
from trainconsole.engine.record.metric_rows import Rows
from trainconsole.engine.record.run_directory import Recorder
from trainconsole.engine.reporting.effect import Effect
from trainconsole.engine.reporting.python_warnings import Heard
from trainconsole.engine.reporting.steered import Numbers, Steered
from trainconsole.engine.reporting.stopwatch import Stopwatch
from trainconsole.engine.runs.lineages import Lineages

T = TypeVar("T")

WAITED_FOR = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO, errno.ENOMEM)
"""What a disk says that is full or read-only, and who writes to it without memory: it may pass. Anything
else is a failure."""

RETRY = 1.0
"""Seconds between two tries to write to a disk that is full."""

Outbox = queue.SimpleQueue[Event | None]
"""Events as written; None when there will be no more."""


class Reporter:
    """Used by the training thread; others read `status` and drain `outbox` (events as written).

    It is `patient` with a full disk once the run has begun: before, there is nothing that would be lost.
    """

    def __init__(self, trainer: Steered, recorder: Recorder, status: Status, outbox: Outbox) -> None:
        self.outbox = outbox
        self.status = status
        self.branch = status.branch
        self.recorder = recorder
        self.watch = Stopwatch()
        self.leaving = threading.Event()
        self.patient = False
        self.heard = Heard()
        self.unmeasured: set[str] = set()
        self._trainer = trainer
        self.led = Lineages()
        self._held: list[Event] | None = None
        self._last_seq = recorder.next_seq - 1

    def rows(self, rows: Rows) -> None:
        """Rows come before the events that follow them."""
        self.patiently(lambda: self.recorder.write_rows(rows))

    def own_numbers(self, numbers: Mapping[str, Numbers]) -> None:
        """As `rows`; a name that cannot be recorded is told of once."""
        for name, (steps, values) in numbers.items():
            if name in self.unmeasured:
                continue
            try:
                self.patiently(partial(self.recorder.scalars.write, name, steps, self.branch, values))
            except UserError as error:
                self.unmeasured.add(name)
                self.emit(Warned, why=str(error), kind="own numbers")

    def hold(self) -> None:
        """From here to `commit`, events wait for each other: they reach the disk together."""
        if self._held is None:
            self._held = []

    def commit(self) -> None:
        """Write what was held, and have it on the disk where a command is among it; only then it is shown."""
        held, self._held = self._held, None
        if held:
            self._record(held)

    def emit(self, kind: type[Event], /, **fields: Any) -> Event:
        """An event of now. The caller has read back: rows up to this step are in the record."""
        return self.write(kind(step=self._trainer.step, branch=self.branch, **fields))

    def write(self, event: Event) -> Event:
        """Returns it as written; where events are held, as it is."""
        self.led.take(event)
        if self._held is None:
            return self._record([event])[0]
        self._held.append(event)
        return event

    def _record(self, events: list[Event]) -> list[Event]:
        written = self.patiently(lambda: self.recorder.append(events))
        if any(isinstance(event, CommandApplied) for event in events):
            self.patiently(self.recorder.sync)
        self._last_seq = max(self._last_seq, written[-1].seq)
        self.publish()
        for event in written:
            self.outbox.put(event)
        return written

    def pass_on(self) -> None:
        """What was warned of in this process since the last time. The caller has read back."""
        for why in self.heard.take():
            self.emit(Warned, why=why, kind="heard")

    def acknowledge(self, request: Request, effect: Effect, *, passes: bool = False) -> None:
        self.emit(
            CommandApplied,
            command=request.command,
            id=request.id,
            origin=request.origin,
            before=effect.before,
            after=effect.after,
            note=effect.note,
            passes=passes,
        )

    def reject(self, request: Request, reason: str) -> None:
        self.emit(
            CommandRejected,
            command=request.command,
            id=request.id,
            origin=request.origin,
            reason=reason,
        )

    def patiently(self, write: Callable[[], T]) -> T:
        """Write to the disk; where it refuses, wait until there is room, and say so.

        Training stands still meanwhile. Raises the OSError once the run is to be left.
        """
        try:
            return write()
        except OSError as error:
            if error.errno not in WAITED_FOR or not self.patient:
                raise
            why, since = (
                f"training waits: cannot write to {self.recorder.path}: {error.strerror}",
                time.time(),
            )
        before, running = self.status.stage, self.watch.running
        self.watch.stop()
        self.publish("paused", error=why, time_left=None)
        while True:
            self.leaving.wait(RETRY)
            try:
                written = write()
                break
            except OSError as error:
                if self.leaving.is_set() or error.errno not in WAITED_FOR:
                    raise
        if running:
            self.watch.start()
        self.publish(before, error="")
        self.emit(Warned, why=f"{why}; it went on after {time.time() - since:.0f} s", kind="disk")
        return written

    def publish(self, stage: Stage | None = None, **changes: Any) -> None:
        """Replace the status by one of now."""
        step, old, progress = self._trainer.step, self.status, self._trainer.progress()
        speed = changes.get("steps_per_second", old.steps_per_second)
        fresh = {
            **progress._asdict(),
            "stage": stage or old.stage,
            "step": step,
            "branch": self.branch,
            "time_left": (progress.steps - step) / speed if speed and progress.steps else None,
            "last_seq": self._last_seq,
            "rows": self.recorder.rows,
        }
        self.status = replace(old, **{**fresh, **changes})

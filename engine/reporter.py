"""What the loop says to the world: events and rows into the record, the status replaced whole."""

import errno
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from msgspec.structs import replace

from trainconsole.engine import messages
from trainconsole.engine.history import Rows
from trainconsole.engine.messages import Event, Request, Stage, Status
from trainconsole.engine.record import Recorder
from trainconsole.engine.steering import Effect
from trainconsole.engine.stopwatch import Stopwatch
from trainconsole.engine.trainer import Trainer

T = TypeVar("T")

WAITED_FOR = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO)
"""What a disk says that is full or read-only: it may pass. Anything else is a failure."""

RETRY = 1.0
"""Seconds between two tries to write to a disk that is full."""

Outbox = queue.SimpleQueue[Event | None]
"""Events as written; None when there will be no more."""


class Reporter:
    """Used by the training thread; others read `status` and drain `outbox` (events as written)."""

    def __init__(self, trainer: Trainer, recorder: Recorder, status: Status, outbox: Outbox) -> None:
        self.outbox = outbox
        self.status = status
        self.branch = status.branch
        self.recorder = recorder
        self.watch = Stopwatch()
        self.leaving = threading.Event()
        self._trainer = trainer

    def rows(self, rows: Rows) -> None:
        """Rows come before the events that follow them."""
        self.patiently(lambda: self.recorder.write_rows(rows))

    def emit(self, kind: type[Event], /, **fields: Any) -> Event:
        """An event of now. The caller has read back: rows up to this step are in the record."""
        return self.write(kind(step=self._trainer.step, branch=self.branch, **fields))

    def write(self, event: Event) -> Event:
        written = self.patiently(lambda: self.recorder.write_event(event))
        self.publish()
        self.outbox.put(written)
        return written

    def acknowledge(self, request: Request, effect: Effect) -> None:
        self.emit(
            messages.CommandApplied,
            command=request.command,
            id=request.id,
            origin=request.origin,
            before=effect.before,
            after=effect.after,
            note=effect.note,
        )

    def reject(self, request: Request, reason: str) -> None:
        self.emit(
            messages.CommandRejected,
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
            if error.errno not in WAITED_FOR:
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
            except OSError:
                if self.leaving.is_set():
                    raise
        if running:
            self.watch.start()
        self.publish(before, error="")
        self.emit(messages.Warned, why=f"{why}; it went on after {time.time() - since:.0f} s", kind="disk")
        return written

    def publish(self, stage: Stage | None = None, **changes: Any) -> None:
        """Replace the status by one of now."""
        trainer, old = self._trainer, self.status
        steps, speed = trainer.end.step, changes.get("steps_per_second", old.steps_per_second)
        fresh = {
            "stage": stage or old.stage,
            "step": trainer.step,
            "steps": steps,
            "epoch": min(trainer.epoch, trainer.config.epochs),
            "epochs": trainer.config.epochs,
            "epochs_done": trainer.position.epochs,
            "plan": trainer.plan,
            "branch": self.branch,
            "time_left": (steps - trainer.step) / speed if speed else None,
            "patience_left": trainer.patience.left(trainer.config.early_stopping),
            "last_seq": self.recorder.next_seq - 1,
            "rows": self.recorder.rows,
        }
        self.status = replace(old, **{**fresh, **changes})

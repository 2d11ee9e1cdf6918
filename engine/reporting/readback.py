"""Steps whose numbers are still on the device, read back a block at a time; and how fast they come."""

import math
from typing import Any, Generic

from trainconsole.engine.record.metric_rows import Rows
from trainconsole.engine.reporting.reporter import Reporter
from trainconsole.engine.reporting.steered import S, Stepped

INTERVAL = 0.1
"""Seconds between two read-backs: rows reach the disk, and readers, this often. A command waits for one, and
each row costs it 5 us; on the other side a read-back costs 0.2 ms however few rows there are."""

APART = 0.25
"""The same on an accelerator, which stands still for each."""

MEMORY = 0.5
"""Seconds after which a speed that was measured counts for a third of what it did."""

LIMIT = 4096
"""Steps a block holds at most."""

ROOM = 16 * 2**20
"""Bytes of outputs that a block keeps on the device at most."""


class Meter(Generic[S]):
    """Used by the training thread: takes each step, writes rows, publishes speed and the newest numbers."""

    def __init__(self, trainer: Stepped[S], report: Reporter) -> None:
        self.last_rate = 0.0
        self._trainer = trainer
        self._report = report
        self._steps: list[S] = []
        self._seconds: list[float] = []
        self._spent: list[S] = []
        self._limit = 0
        self._interval = INTERVAL if trainer.device.type == "cpu" else APART
        self.start_over()

    def start_over(self) -> None:
        """The run is at another place: what was counted from the old one does not count."""
        self._read_at = self._report.watch.seconds
        self.last_rate = self._trainer.in_force().lr or 0.0
        self.begin_epoch()

    def begin_epoch(self) -> None:
        self._began = self._trainer.step, self._report.watch.seconds
        self._read_at = self._report.watch.seconds

    def epoch_speed(self) -> float:
        """Steps a second since the epoch began, or since this session did."""
        step, second = self._began
        elapsed = self._report.watch.seconds - second
        return (self._trainer.step - step) / elapsed if elapsed > 0 else 0.0

    def add(self, step: S) -> bool:
        """Take a step. Returns whether it is time to read back."""
        now = self._report.watch.seconds
        if not self._steps:
            self._spent = []
            self._limit = min(LIMIT, 1 + ROOM // max(step.nbytes, 1))
        self._steps.append(step)
        self._seconds.append(now)
        self.last_rate = step.lr
        return step.withheld or now - self._read_at >= self._interval or len(self._steps) >= self._limit

    def read_back(self, *, stop_at_trouble: bool) -> S | None:
        """Numbers since the last time come off the device and go to the record.

        Returns the first step whose update was withheld. With `stop_at_trouble` those after it, withheld too,
        are not recorded: the run goes back to that step.
        """
        if not self._steps:
            return None
        rows, steps = self._rows(), self._steps
        bad = [*self._trainer.bad(rows, steps)]
        if bad and stop_at_trouble:
            rows = rows[: bad[0] + 1]
        self._trainer.count(rows, steps[: len(rows)])
        self._report.rows(rows)
        self._report.own_numbers(self._trainer.own_numbers(steps[: len(rows)]))
        # Freeing so many tensors takes a while: it is left to the next step, after a command's answer.
        self._spent, self._steps, self._seconds = steps, [], []
        self._measure(rows)
        return steps[bad[0]] if bad else None

    def _rows(self) -> Rows:
        rows = self._trainer.rows(self._steps)
        rows["branch"] = self._report.branch
        rows["time"] = self._seconds
        return rows

    def _measure(self, rows: Rows) -> None:
        now, speed = self._report.watch.seconds, self._report.status.steps_per_second
        elapsed = now - self._read_at
        if elapsed > 0:
            latest = len(rows) / elapsed
            kept = math.exp(-elapsed / MEMORY) if speed else 0.0
            speed = kept * speed + (1 - kept) * latest
        self._read_at = now
        loss, metric = float(rows[-1]["loss"]), float(rows[-1]["metric"])
        name = self._trainer.metric_name
        changes: dict[str, Any] = {
            "steps_per_second": speed,
            "loss": loss,
            "metric": metric,
            "metric_name": name,
        }
        if self._report.status.plan is None:
            # Nobody but the optimizer knows the rate.
            changes["in_force"] = self._trainer.in_force()
        self._report.publish(**changes)

"""The record of a run as one sequence: rows, events and own numbers, each once, as they come. No torch.

It is read from its beginning each time, and what a target holds already is left out: what an item says
depends on the record alone, not on when the mirror was started.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainconsole.engine.mirror.clock import Clock
from trainconsole.engine.mirror.items import Done, Happened, Item, OwnNumbers, Steps, Turned
from trainconsole.engine.mirror.own_numbers import OwnFiles, by_branch
from trainconsole.engine.protocol.events import AnyEvent, CommandApplied, EpochEnded
from trainconsole.engine.record.journal import PIECE, Journal
from trainconsole.engine.record.metric_rows import ROW, Rows
from trainconsole.engine.record.metrics_file import MetricFile
from trainconsole.engine.runs.branches import Fork, Spans, among, fork_of, spans

Counts = npt.NDArray[np.int64]
SHOWN = (EpochEnded, CommandApplied)
"""Events that are part of a curve, and are told again when it is in force again."""


class Source:
    """Reads `run` from its beginning on and leaves out what is `done`. `last` is the newest event."""

    def __init__(self, run: Path, done: Done) -> None:
        self.last: AnyEvent | None = None
        self.steps = 0
        self._run, self._done = run, done
        self._journal, self._file, self._own = Journal(run), MetricFile(run), OwnFiles(run)
        self._clock = Clock()
        self._forks = {0: Fork(0, None, 0)}
        self._stretches = {0: 0}
        self._shown: list[AnyEvent] = []
        self._commands: dict[int, list[CommandApplied]] = {}
        self._ahead: Rows = np.zeros(0, ROW)
        self._count = 0
        self._time = 0.0

    def read(self) -> Iterator[Item]:
        """All that is new. Before an event come the rows up to it, which are on disk before it is.

        Raises UserError where the record cannot be read.
        """
        while True:
            for event in self._journal.read(PIECE):
                yield from self._rows(event.branch, event.step)
                yield from self._event(event)
            if self._journal.exhausted:
                break
        yield from self._rows(self.branch, math.inf)
        yield from self._own_numbers()

    @property
    def branch(self) -> int:
        """The newest that is known."""
        return max(self._forks)

    def _rows(self, branch: int, step: float) -> Iterator[Steps]:
        """Those up to `step` of `branch`; a row of a branch that no event tells of waits for one."""
        while True:
            if not len(self._ahead):
                self._ahead = self._file.read()
            wanted = (self._ahead["branch"] < branch) | (
                (self._ahead["branch"] == branch) & (self._ahead["step"] <= step)
            )
            if not wanted.any():
                return
            count = int(np.flatnonzero(wanted)[-1]) + 1
            ready, self._ahead = self._ahead[:count], self._ahead[count:]
            for part in by_branch(ready[ready["branch"] <= branch]):
                yield from self._part(part)

    def _part(self, rows: Rows) -> Iterator[Steps]:
        times, first = self._clock.times(rows), self._count
        self._count += len(rows)
        self.steps, self._time = int(rows["step"][-1]), float(times[-1])
        skip = max(0, self._done.rows - first)
        if skip < len(rows):
            stretch = self._stretch(int(rows["branch"][0]))
            yield Steps(rows=rows[skip:], times=times[skip:], first=first + skip, stretch=stretch)

    def _event(self, event: AnyEvent) -> Iterator[Item]:
        new = event.seq > self._done.seq
        if (fork := fork_of(event, self._forks)) is not None:
            yield from self._own_numbers()
            since = self._turn(fork)
            if new:
                yield self._turned(fork, since, event.time)
                yield from self._again(since, fork)
        self._clock.hear(event)
        self.last = event
        if new:
            yield self._happened(event)
        if isinstance(event, SHOWN):
            self._shown.append(event)
        if isinstance(event, CommandApplied):
            self._commands.setdefault(event.step, []).append(event)

    def _happened(self, event: AnyEvent, *, again: bool = False) -> Happened:
        parts, beside = spans(self._forks), []
        for other in () if again else self._commands.get(event.step, ()):
            begin, last = parts.get(other.branch, (0, -1))
            beside += [other] if begin <= other.step <= last else []
        stretch = self._stretch(event.branch)
        return Happened(event=event, stretch=stretch, beside=tuple(beside), again=again)

    def _turn(self, fork: Fork) -> int:
        """The last step up to which the curve that is in force from now on is the one before."""
        before, newest = spans(self._forks), self.branch
        goes_on = fork.parent == newest and fork.step >= self.steps
        self._forks[fork.branch] = fork
        self._stretches[fork.branch] = self._stretch(newest) if goes_on else fork.branch
        return int(min(shared(before, spans(self._forks)), fork.step))

    def _turned(self, fork: Fork, since: int, time: float) -> Turned:
        stretch = self._stretch(fork.branch)
        return Turned(
            branch=fork.branch, parent=fork.parent, since=since, step=fork.step, time=time, stretch=stretch
        )

    def _stretch(self, branch: int) -> int:
        return self._stretches.get(branch, branch)

    def _own_numbers(self) -> Iterator[OwnNumbers]:
        """Those in force; what was written late for a branch that has been left is passed over."""
        parts = spans(self._forks)
        for name, first, records in self._own.read(self.branch):
            counts = np.arange(first, first + len(records)) + 1
            wanted = among(records, parts) & (counts > self._done.own.get(name, 0))
            if wanted.any():
                yield self._numbers(name, records[wanted], counts[wanted])

    def _numbers(self, name: str, records: Rows, counts: Counts, *, again: bool = False) -> OwnNumbers:
        """They tell no time: it is that of the newest row."""
        stretch = self._stretch(int(records["branch"][0]))
        return OwnNumbers(
            name=name, records=records, counts=counts, time=self._time, stretch=stretch, again=again
        )

    def _again(self, since: int, fork: Fork) -> Iterator[Item]:
        """What is in force from `since` to the fork: a rewind went to a branch that had been left."""
        if since >= fork.step:
            return
        parts = _within(spans(self._forks), since, fork.step)
        for rows in MetricFile(self._run).all():
            for part in by_branch(rows[among(rows, parts)]):
                times, stretch = self._clock.times(part), self._stretch(int(part["branch"][0]))
                yield Steps(rows=part, times=times, first=0, stretch=stretch, again=True)
        for event in self._shown:
            begin, last = parts.get(event.branch, (0, -1))
            if begin < event.step <= last:
                yield self._happened(event, again=True)
        for name, records in self._own.all():
            if len(kept := records[among(records, parts)]):
                yield self._numbers(name, kept, np.zeros(len(kept), np.int64), again=True)


def shared(old: Spans, new: Spans) -> float:
    """The last step up to which two curves are one."""
    at = 0.0
    for (branch, (_, end)), (other, (_, stop)) in zip(old.items(), new.items(), strict=False):
        if branch != other:
            return at
        if end != stop:
            return min(end, stop)
        at = end
    return at


def _within(parts: Spans, since: int, step: int) -> Spans:
    return {branch: (max(begin, since), min(last, step)) for branch, (begin, last) in parts.items()}

"""Which rows and commands are in force: a run's branches, read from its events. No torch.

Undo, rewind and resume start a new branch at a step of an older one and never shorten a file. The curve in
force is the last branch with, up to each fork, its chain of parents. A branch is written after its parents,
so the order of the file is that of the curve.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from trainconsole.engine.protocol.events import AnyEvent, Branched, Entry, EpochEnded
from trainconsole.engine.record.metric_rows import Rows
from trainconsole.engine.runs.lineages import Lineages

Spans = dict[int, tuple[float, float]]
"""By branch in force: the step that its first row comes after, and the last that counts."""


class Fork(Struct, frozen=True):
    """Where a branch begins: after `step` updates of `parent`. None says the start of the run, or, for any
    branch but 0, that the record does not tell."""

    branch: int
    parent: int | None
    step: int


def forks(events: Iterable[AnyEvent]) -> dict[int, Fork]:
    """Every branch by its number; 0 is there from the start."""
    found = {0: Fork(0, None, 0)}
    for event in events:
        if (fork := fork_of(event, found)) is not None:
            found[fork.branch] = fork
    return found


def fork_of(event: AnyEvent, known: Mapping[int, Fork]) -> Fork | None:
    """The branch that `event` is the first to tell of; None where it is `known`. A branch whose beginning
    could not be read is known by what happened on it."""
    if isinstance(event, Branched):
        parent = event.parent if event.parent in known and event.parent < event.branch else None
        return Fork(event.branch, parent, event.at_step)
    return None if event.branch in known else Fork(event.branch, None, event.step)


def chain(found: Mapping[int, Fork], branch: int) -> list[tuple[int, float]]:
    """(branch, last step of it that counts), the oldest first; the last one counts without limit."""
    parts: list[tuple[int, float]] = [(branch, float("inf"))]
    fork = found[branch]
    while fork.parent is not None and fork.parent < fork.branch:
        # A parent whose own fork lies beyond this one contributes nothing of its own.
        parts.append((fork.parent, min(fork.step, parts[-1][1])))
        fork = found[fork.parent]
    return parts[::-1]


def live(events: Iterable[AnyEvent]) -> int:
    """The number of the last branch."""
    return max(forks(events))


def spans(found: Mapping[int, Fork]) -> Spans:
    """What is in force of each branch that has a part in it, the oldest first."""
    ends = chain(found, max(found))
    begins = [0.0, *(last for _, last in ends)]
    return {branch: (begin, last) for (branch, last), begin in zip(ends, begins, strict=False)}


def among(rows: Rows, parts: Spans, *, at_fork: bool = False) -> npt.NDArray[np.bool_]:
    """(n,) which of `rows` are in force, of any dtype with step and branch; with `at_fork` also those that a
    branch has of the very step at which it begins, as own numbers may be."""
    numbers = np.array(sorted(parts))
    limits = np.array([parts[number] for number in numbers.tolist()])
    at = np.minimum(np.searchsorted(numbers, rows["branch"]), len(numbers) - 1)
    begin, last = limits[at, 0], limits[at, 1]
    after = rows["step"] >= begin if at_fork else rows["step"] > begin
    return np.asarray(after & (rows["step"] <= last) & (numbers[at] == rows["branch"]), bool)


def in_force(rows: Rows, events: Iterable[AnyEvent]) -> Rows:
    """The rows of the curve in force, each step once, in order."""
    return rows[among(rows, spans(forks(events)))]


def scalars_in_force(records: Rows, events: Iterable[AnyEvent]) -> Rows:
    """The same of own numbers (dtype SCALAR): of one step there may be several, and of step 0."""
    return records[among(records, spans(forks(events)), at_fork=True)]


def epochs_in_force(events: Sequence[AnyEvent]) -> list[EpochEnded]:
    """The `epoch` events of the curve in force, each epoch once, in order.

    An epoch that was still open at a fork is closed, at the same step, by the branch that goes on.
    """
    return closed(events, forks(events))


def closed(events: Iterable[AnyEvent], found: Mapping[int, Fork]) -> list[EpochEnded]:
    """The same, with the branches that are known."""
    epochs, parts = dict[int, EpochEnded](), spans(found)
    for event in events:
        if isinstance(event, EpochEnded) and event.branch in parts:
            begin, last = parts[event.branch]
            if begin <= event.step <= last:
                epochs[event.epoch] = event
    return [epochs[epoch] for epoch in sorted(epochs)]


def lineage(events: Iterable[AnyEvent]) -> tuple[Entry, ...]:
    """(step, command, id) of all that leads to the weights at the end of the live branch, the commands that
    were still to be applied again included; a `stop` that ended the run is not."""
    found = lineages(events)
    return (*found.of(found.branch), *found.waiting)


def lineages(events: Iterable[AnyEvent]) -> Lineages:
    """What led to the weights of each branch."""
    found = Lineages()
    for event in events:
        found.take(event)
    return found


def spent(events: Iterable[AnyEvent]) -> set[str]:
    """Ids of commands that were answered, on whatever branch."""
    return {event.id for event in events if hasattr(event, "id")}

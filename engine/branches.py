"""Which rows and commands are in force: a run's branches, read from its events. No torch.

Undo, rewind and resume start a new branch at a step of an older one and never shorten a file. The curve in
force is the last branch with, up to each fork, its chain of parents.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct

from trainconsole.engine.grammar import GrammarError, parse
from trainconsole.engine.history import Rows
from trainconsole.engine.messages import (
    CHANGES_TRAINING,
    AnyEvent,
    Branched,
    CommandApplied,
    Entry,
    EpochEnded,
    Finished,
    Stop,
)


class Fork(Struct, frozen=True):
    """Where a branch begins: after `step` updates of `parent`, which None says is the start of the run."""

    branch: int
    parent: int | None
    step: int


def forks(events: Iterable[AnyEvent]) -> dict[int, Fork]:
    """Every branch by its number; 0 is there from the start."""
    found = {0: Fork(0, None, 0)}
    for event in events:
        if isinstance(event, Branched):
            found[event.branch] = Fork(event.branch, event.parent, event.at_step)
    return found


def chain(found: dict[int, Fork], branch: int) -> list[tuple[int, float]]:
    """(branch, last step of it that counts), the oldest first; the last one counts without limit."""
    parts: list[tuple[int, float]] = [(branch, float("inf"))]
    fork = found[branch]
    while fork.parent is not None:
        # A parent whose own fork lies beyond this one contributes nothing of its own.
        parts.append((fork.parent, min(fork.step, parts[-1][1])))
        fork = found[fork.parent]
    return parts[::-1]


def live(events: Iterable[AnyEvent]) -> int:
    """The number of the last branch."""
    return max(forks(events))


def in_force(rows: Rows, events: Iterable[AnyEvent]) -> Rows:
    """The rows of the curve in force, each step once, in order."""
    found = forks(events)
    parts, begin = [], 0
    for branch, last in chain(found, max(found)):
        own = rows[rows["branch"] == branch]
        parts.append(own[(own["step"] > begin) & (own["step"] <= last)])
        begin = max(begin, int(min(last, 2**62)))
    return np.concatenate(parts) if parts else rows[:0]


def epochs_in_force(events: Sequence[AnyEvent]) -> list[EpochEnded]:
    """The `epoch` events of the curve in force, each epoch once, in order.

    An epoch that was still open at a fork is closed, at the same step, by the branch that goes on.
    """
    found, begin = dict[int, EpochEnded](), 0.0
    for branch, last in chain(forks(events), live(events)):
        for event in events:
            if type(event) is EpochEnded and event.branch == branch and begin <= event.step <= last:
                found[event.epoch] = event
        begin = last
    return [found[epoch] for epoch in sorted(found)]


def lineage(events: Sequence[AnyEvent]) -> tuple[Entry, ...]:
    """(step, command, id) of all that leads to the weights at the end of the live branch, the commands that
    were still to be applied again included; a `stop` that ended the run is not."""
    entries: list[Entry] = []
    waiting: list[Entry] = []
    for event in events:
        if isinstance(event, Branched):
            entries, waiting = list(event.lineage), list(event.pending)
        elif isinstance(event, CommandApplied) and changes_training(event.command):
            entries.append((event.step, event.command, event.id))
            waiting = [entry for entry in waiting if entry[2] != event.id]
        elif isinstance(event, Finished) and entries and is_stop(entries[-1][1]):
            entries.pop()
    return (*entries, *waiting)


def changes_training(command: str) -> bool:
    """Whether the text of a command counts in a lineage."""
    try:
        return isinstance(parse(command), CHANGES_TRAINING)
    except GrammarError:
        return False


def is_stop(command: str) -> bool:
    try:
        return isinstance(parse(command), Stop)
    except GrammarError:
        return False


def spent(events: Iterable[AnyEvent]) -> set[str]:
    """Ids of commands that were answered, on whatever branch."""
    return {event.id for event in events if hasattr(event, "id")}

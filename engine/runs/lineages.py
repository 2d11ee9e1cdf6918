"""What led to the weights of each branch of a run, kept as what changed: a fork costs the same however long
the lineage is. No torch."""

from collections.abc import Iterable, Sequence

from trainconsole.engine.protocol.commands import CHANGES_TRAINING, Stop
from trainconsole.engine.protocol.events import (
    AnyEvent,
    Branched,
    CommandApplied,
    Entry,
    Event,
    Finished,
    Lineage,
    Unread,
)
from trainconsole.engine.protocol.grammar import GrammarError, parse


class Lineages:
    """Fed with a run's events in order. `branch` is the live one, `waiting` what is to be applied again;
    `whole` says that nothing was missing so far."""

    def __init__(self) -> None:
        self.branch = 0
        self.whole = True
        self.waiting: list[Entry] = []
        self._begins: dict[int, tuple[int | None, int]] = {0: (None, 0)}
        self._own: dict[int, list[Entry]] = {0: []}

    def take(self, event: AnyEvent | Event) -> None:
        """One event, as it is written or read. What is shared with a branch that is not known is left out."""
        if isinstance(event, Branched):
            self._begin(event)
        elif event.branch not in self._own:
            self.whole = False
            self._open(event.branch, None, 0)
        if isinstance(event, Unread) and event.leads:
            self.whole = False
        if isinstance(event, CommandApplied) and (command := counted(event)):
            self._own[event.branch].append((event.step, command, event.id))
            self.waiting = [entry for entry in self.waiting if entry[2] != event.id] if self.waiting else []
        elif isinstance(event, Finished):
            own = self._own[event.branch]
            if own and is_stop(own[-1][1]):
                own.pop()

    def length(self, branch: int) -> int:
        """The number of entries; 0 for a branch that is not known."""
        return self._begins[branch][1] + len(self._own[branch]) if branch in self._own else 0

    def of(self, branch: int, most: int | None = None) -> tuple[Entry, ...]:
        """The entries of `branch`, or the first `most` of them."""
        parts: list[Sequence[Entry]] = []
        left = self.length(branch) if most is None else min(most, self.length(branch))
        at: int | None = branch
        while at is not None and left:
            parent, kept = self._begins[at]
            if left > kept:
                parts.append(self._own[at][: left - kept])
            at, left = parent, min(left, kept)
        return tuple(entry for part in reversed(parts) for entry in part)

    def shared(self, branch: int, lineage: Sequence[Entry]) -> int:
        """How many entries `lineage` has in common with the beginning of that of `branch`."""
        return alike(self.of(branch, len(lineage)), tuple(lineage))

    def shared_texts(self, branch: int, lineage: Lineage) -> int:
        """The same of a lineage without ids."""
        return alike(texts(self.of(branch, len(lineage))), lineage)

    def _begin(self, event: Branched) -> None:
        if event.kept is None or event.parent not in self._own:
            self.whole = self.whole and event.kept is None
            self._open(event.branch, None, 0)
        else:
            parent: int | None = event.parent
            kept = min(event.kept, self.length(event.parent))
            self.whole = self.whole and kept == event.kept
            # Parents that add nothing are passed over: else a thousand undos in a row are a thousand links.
            while parent is not None and kept <= self._begins[parent][1]:
                parent = self._begins[parent][0]
            self._open(event.branch, parent, kept)
        self._own[event.branch] += event.lineage
        self.waiting = list(event.pending)

    def _open(self, branch: int, parent: int | None, kept: int) -> None:
        self.branch = max(branch, self.branch)
        self._begins[branch], self._own[branch] = (parent, kept), []


def texts(entries: Iterable[Entry]) -> Lineage:
    return tuple((step, command) for step, command, _ in entries)


def alike(known: tuple[object, ...], other: tuple[object, ...]) -> int:
    """How many of the first items are the same."""
    if known == other[: len(known)]:
        return len(known)
    return next(place for place, (old, new) in enumerate(zip(known, other, strict=False)) if old != new)


def counted(event: CommandApplied) -> str:
    """The text under which a command stands in a lineage; "" where it does not."""
    if event.passes:
        return "resume"
    return event.command if changes_training(event.command) else ""


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

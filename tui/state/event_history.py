"""What a run's events tell so far: the one place where the console keeps them. Fed in order, never polled."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from msgspec.structs import replace

from trainconsole.engine.protocol.events import (
    AnyEvent,
    Best,
    CheckpointSaved,
    CommandApplied,
    EpochEnded,
    Failed,
    Finished,
    Interrupted,
    Started,
)
from trainconsole.engine.runs import branches
from trainconsole.engine.runs.branches import Fork
from trainconsole.engine.runs.lineages import Lineages, counted
from trainconsole.tui.text import timeline
from trainconsole.tui.text.timeline import Entry

Ending = Finished | Interrupted | Failed

IN_A_ROW = 4
"""Epochs that are told one after the other."""


KEPT = 20_000
"""Entries of a timeline that are kept: nobody looks further back."""


class Story:
    """Grows by `take`; a fork makes it look back, anything else costs the same however long the run is.

    Of each event it keeps what is shown, so that a run of 100,000 commands takes some 100 MB.
    """

    def __init__(self) -> None:
        self.count = 0
        self.last: AnyEvent | None = None
        self.forks: dict[int, Fork] = branches.forks([])
        self.started: Started | None = None
        self.ending: Ending | None = None
        self.entries: deque[Entry] = deque(maxlen=KEPT)
        self._led = Lineages()
        self._saved: list[CheckpointSaved] = []
        self._closed: list[EpochEnded] = []
        self._epochs: dict[int, EpochEnded] = {}
        self._applied: dict[str, CommandApplied] = {}
        self._changes: list[CommandApplied] = []
        self._open: dict[str, Entry] = {}

    def take(self, events: Iterable[AnyEvent]) -> None:
        """Events as they stand in the record, in order, each once."""
        forked = False
        for event in events:
            forked = self._note(event) or forked
            for entry in timeline.entries(event):
                self._open.pop(entry.id, None)
                self.entries.append(entry)
        if forked:
            self._look_back()

    def request(self, name: str, command: str) -> None:
        """A command was sent under the id `name`; it is open until its answer is taken."""
        self._open[name] = timeline.requested(name, command)

    def refuse(self, name: str, command: str, reason: str) -> None:
        """A command that never reached the run."""
        self._open.pop(name, None)
        self.entries.append(timeline.refused(name, command, reason))

    def say(self, text: str) -> None:
        """Something to know that is no event of this run."""
        self.entries.append(Entry("warning", text))

    def abandon(self, reason: str) -> None:
        """Nobody will answer what is open."""
        for name, entry in list(self._open.items()):
            self.refuse(name, entry.text, reason)

    def newest(self, most: int) -> list[Entry]:
        """The newest entries first, those still open before all others. Epochs do not crowd commands out."""
        return list(islice(chain(reversed(self._open.values()), thinned(reversed(self.entries))), most))

    @property
    def waits(self) -> bool:
        """Whether a command has not been answered yet."""
        return bool(self._open)

    @property
    def epochs(self) -> Sequence[EpochEnded]:
        """The `epoch` events in force."""
        return tuple(self._epochs.values())

    @property
    def best(self) -> Best | None:
        """The best epoch on the curve in force."""
        return next((event.best for event in reversed(self._epochs.values())), None)

    @property
    def last_epoch(self) -> EpochEnded | None:
        return next(reversed(self._epochs.values()), None)

    @property
    def changes(self) -> Sequence[CommandApplied]:
        """The commands in force that changed training, with what they came to, in order of their steps."""
        return self._changes

    @property
    def told(self) -> tuple[AnyEvent, ...]:
        """What says how the run ended: the checkpoints of its best epochs, and the last event."""
        return (*self._saved, *([self.last] if self.last is not None else []))

    def _note(self, event: AnyEvent) -> bool:
        """Whether another curve may be in force."""
        self.count += 1
        self.last = event
        self._led.take(event)
        match event:
            case Started():
                self.started = self.started or event
                self.ending = None
            case EpochEnded():
                self._closed.append(event)
                self._epochs[event.epoch] = event
            case CommandApplied() if counted(event):
                self._apply(event)
            case CheckpointSaved() if event.kind == "best":
                self._saved.append(replace(event, lineage=()))
            case Finished() | Interrupted() | Failed():
                self.ending = event
        fork = branches.fork_of(event, self.forks)
        if fork is not None:
            self.forks[fork.branch] = fork
        return fork is not None

    def _apply(self, event: CommandApplied) -> None:
        kept = replace(event, before={}, origin="", note="")
        self._applied[event.id] = kept
        self._changes.append(kept)

    def _look_back(self) -> None:
        """Another curve is in force."""
        self._epochs = {event.epoch: event for event in branches.closed(self._closed, self.forks)}
        led_here = {entry[2] for entry in (*self._led.of(self._led.branch), *self._led.waiting)}
        applied = [self._applied[name] for name in led_here if name in self._applied]
        self._changes = sorted(applied, key=lambda event: (event.step, event.seq))


def thinned(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Of epochs that follow one another the first few, and the first that was the best so far."""
    row, best = 0, False
    for entry in entries:
        if entry.kind not in ("epoch", "best"):
            row, best = 0, False
            yield entry
            continue
        row += 1
        if row <= IN_A_ROW or (entry.kind == "best" and not best):
            yield entry
        best = best or entry.kind == "best"

"""What a run's events tell so far: the one place where the console keeps them. Fed in order, never polled."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from trainconsole.engine import branches, messages
from trainconsole.engine.branches import Fork
from trainconsole.engine.messages import AnyEvent, Best, CommandApplied, EpochEnded, Started
from trainconsole.tui import timeline
from trainconsole.tui.timeline import Entry

Ending = messages.Finished | messages.Interrupted | messages.Failed

IN_A_ROW = 4
"""Epochs that are told one after the other."""


class Story:
    """Grows by `take`; a fork makes it look back, anything else costs the same however long the run is."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []
        self.forks: dict[int, Fork] = branches.forks([])
        self.started: Started | None = None
        self.ending: Ending | None = None
        self.entries: list[Entry] = []
        self.changes: list[CommandApplied] = []
        self._epochs: dict[int, EpochEnded] = {}
        self._open: dict[str, Entry] = {}

    def take(self, events: Iterable[AnyEvent]) -> None:
        """Events as they stand in the record, in order, each once."""
        for event in events:
            self.events.append(event)
            self._note(event)
            for entry in timeline.entries(event):
                self._open.pop(entry.id, None)
                self.entries.append(entry)

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

    def _note(self, event: AnyEvent) -> None:
        match event:
            case messages.Started():
                self.started = self.started or event
                self.ending = None
            case messages.Branched():
                self._look_back()
            case EpochEnded() if type(event) is EpochEnded:
                self._epochs[event.epoch] = event
            case CommandApplied() if branches.changes_training(event.command):
                self.changes.append(event)
            case messages.Finished() | messages.Interrupted() | messages.Failed():
                self.ending = event

    def _look_back(self) -> None:
        """Another curve is in force."""
        self.forks = branches.forks(self.events)
        self._epochs = {event.epoch: event for event in branches.epochs_in_force(self.events)}
        led_here = {entry[2] for entry in branches.lineage(self.events)}
        applied = {
            event.id: event
            for event in self.events
            if isinstance(event, CommandApplied) and event.id in led_here
        }
        self.changes = sorted(applied.values(), key=lambda event: event.step)


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

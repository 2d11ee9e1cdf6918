"""A run as runs of a tool that keeps (step, value) by name and takes nothing back. No torch.

Each stretch of training is a run of its own there, in one group: one begins wherever an undo or a rewind took
steps back. What a run there holds already it says itself: the newest step of each curve, and the number of
commands; what is not newer is not written again.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from msgspec import Struct

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.escapes import harmless
from trainconsole.engine.mirror import facts
from trainconsole.engine.mirror.facts import MEASURED, Facts
from trainconsole.engine.mirror.items import Done, Happened, Item, OwnNumbers, Steps, Turned
from trainconsole.engine.mirror.tools.lock import Lock
from trainconsole.engine.protocol.events import AnyEvent, CommandApplied

Troubles = tuple[type[Exception], ...]


class Chapter(Struct, frozen=True, kw_only=True):
    """One run there: `id` is the same whenever and wherever the run is mirrored from."""

    id: str
    name: str
    group: str
    began: float
    config: dict[str, Any]


class Book(Protocol):
    """A run of a tool. Nothing of it is made before it is written to.

    `known` has the newest step of each curve that it holds, `said` the number of its commands, `ended` how
    often it was said that the run is over.
    """

    known: dict[str, int]
    said: int
    ended: int

    def key(self, name: str) -> str:
        """What a curve is called there."""
        ...

    def log(self, step: int, time: float, values: dict[str, float]) -> None: ...

    def say(self, number: int, step: int, time: float, line: str) -> None: ...

    def end(self, number: int, step: int, time: float, result: dict[str, str]) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


class ByStep:
    """`troubles` are the exceptions of the tool: what its user can do something about. Raises UserError."""

    def __init__(
        self, about: Facts, lock: Lock, opens: Callable[[Chapter], Book], troubles: Troubles
    ) -> None:
        self.done = Done()
        self._about, self._lock, self._opens, self._troubles = about, lock, opens, troubles
        self._book: Book | None = None
        self._stretch = 0
        self._said, self._ended = Counter[int](), Counter[int]()
        self._begins: dict[int, Turned] = {}

    def write(self, item: Item) -> None:
        with told(*self._troubles):
            if isinstance(item, Turned):
                if item.stretch == item.branch:
                    self._turn(item)
            elif not item.again:
                self._write(item)

    def flush(self) -> None:
        if self._book is not None:
            with told(*self._troubles):
                self._book.flush()

    def close(self) -> None:
        book, self._book = self._book, None
        try:
            if book is not None:
                with told(*self._troubles):
                    book.close()
        finally:
            self._lock.release()

    def _of(self, stretch: int) -> Book:
        if self._book is None or stretch != self._stretch:
            if self._book is not None:
                self._book.flush()
                self._book.close()
            self._book = self._opens(self._chapter(stretch))
            self._stretch = stretch
        return self._book

    def _chapter(self, stretch: int) -> Chapter:
        about, at = self._about, self._begins.get(stretch)
        digest = hashlib.sha256(f"{about.began!r} {about.run.name}".encode(errors="replace")).hexdigest()[:16]
        name = f"{about.name} branch {stretch}" if stretch else about.name
        config = about.settings
        if at is not None:
            config |= {"branch.number": stretch, "branch.after_step": at.step, "branch.of": at.parent or 0}
        return Chapter(
            id=f"{digest}-{stretch}" if stretch else digest,
            name=name,
            group=about.name,
            began=at.time if at is not None else about.began,
            config=config,
        )

    def _turn(self, at: Turned) -> None:
        """The stretch before is over."""
        book = self._of(self._stretch)
        newest = max(book.known.values(), default=at.step)
        self._end(book, newest, at.time, {"reason": f"left: branch {at.branch} goes on from step {at.step}"})
        self._begins[at.stretch] = at

    def _write(self, item: Steps | OwnNumbers | Happened) -> None:
        match item:
            case Steps():
                self._steps(self._of(item.stretch), item)
            case OwnNumbers():
                name = self._about.own_name(item.name)
                for step, _, value in item.records.tolist():
                    _log(self._of(item.stretch), step, item.time, {name: value})
            case Happened(event=event):
                # A checkpoint of a stretch that is over may come late, and is nothing to be said.
                numbers, result = facts.numbers(event), facts.result(event)
                if numbers or result or isinstance(event, CommandApplied):
                    self._event(self._of(item.stretch), event, numbers, result)

    def _event(self, book: Book, event: AnyEvent, numbers: dict[str, float], result: dict[str, str]) -> None:
        _log(book, event.step, event.time, numbers)
        if isinstance(event, CommandApplied):
            self._said[self._stretch] += 1
            if self._said[self._stretch] > book.said:
                book.say(self._said[self._stretch], event.step, event.time, facts.command(event))
        if result:
            self._end(book, event.step, event.time, result)

    def _end(self, book: Book, step: int, time: float, result: dict[str, str]) -> None:
        self._ended[self._stretch] += 1
        if self._ended[self._stretch] > book.ended:
            book.end(self._ended[self._stretch], step, time, result)

    def _steps(self, book: Book, item: Steps) -> None:
        tags = [self._about.tags[name] for name in MEASURED]
        new = item.rows["step"] > min(book.known.get(book.key(tag), -1) for tag in tags[:-1])
        columns = [item.rows[name][new].tolist() for name in ("step", *MEASURED)]
        for time, step, *measured in zip(item.times[new].tolist(), *columns, strict=True):
            values = dict(zip(tags, measured, strict=True))
            if math.isnan(measured[-1]):
                del values[tags[-1]]
            _log(book, step, time, values)


@contextmanager
def told(*troubles: type[Exception]) -> Iterator[None]:
    """What a tool raises as a UserError, in its own words."""
    try:
        yield
    except troubles as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"{harmless(lines[0])[:600]}\nStarted again, the mirror goes on from here") from None


def _log(book: Book, step: int, time: float, values: dict[str, float]) -> None:
    """What of `values` is new: each curve has each step once."""
    named = {book.key(name): value for name, value in values.items()}
    new = {name: value for name, value in named.items() if step > book.known.get(name, -1)}
    if new:
        book.log(step, time, new)
        book.known.update(dict.fromkeys(new, step))

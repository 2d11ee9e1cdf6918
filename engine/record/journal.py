"""Reading events.jsonl, a piece at a time and within bounds: a line that is no event costs that
line. No torch."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.files import MIB, open_regular
from trainconsole.engine.protocol.events import (
    AnyEvent,
    Branched,
    CommandApplied,
    CommandRejected,
    Finished,
    Unread,
)

NAME = "events.jsonl"
PIECE = MIB
"""Bytes that are read at a time."""
LONGEST = 32 * MIB
"""Bytes of a line: the lineage of half a million commands."""
MOST = 1000
"""Lines that cannot be read, until the file is taken for something else."""

TYPES = frozenset(str(kind.__struct_config__.tag) for kind in get_args(AnyEvent))

_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_type = re.compile(rb'\{"type":"([a-z_]{1,40})"')
_seq = re.compile(rb'"seq":(\d{1,18}),')


class Journal:
    """Reads the events of `run` in order, from the first on, as they are written.

    In place of a line that no event can be made of stands an Unread; an event of a type that is not known is
    passed over. `offset` is where the first line begins that is not complete, `next_seq` the number that the
    next event is to have.
    """

    def __init__(self, run: Path) -> None:
        self.offset = 0
        self.next_seq = 0
        self._file = run / NAME
        self._line = 0
        self.exhausted = False
        self.unread = 0
        self._at = 0
        self._rest = b""
        self._skips = False
        self._before: AnyEvent | None = None
        self._branches = {0}

    def read(self, most: int | None = None) -> list[AnyEvent]:
        """The events that are new, of about `most` bytes; `exhausted` says whether that was all.

        Raises UserError where the file is none, or cannot be read.
        """
        found: list[AnyEvent] = []
        self.exhausted = False
        end = None if most is None else self._at + most
        try:
            with open(open_regular(self._file), "rb") as file:
                file.seek(self._at)
                while (end is None or self._at < end) and not self.exhausted:
                    data = file.read(PIECE)
                    self._at += len(data)
                    self.exhausted = len(data) < PIECE
                    found += self._events(data)
        except FileNotFoundError:
            self.exhausted = True
        except OSError as error:
            raise UserError(f"{self._file}: cannot be read: {error.strerror}") from None
        return found

    def _events(self, data: bytes) -> Iterator[AnyEvent]:
        """Of the lines that end in `data`, the bytes that follow those read before."""
        first, end, rest = data.partition(b"\n")
        if not end:
            self._keep(data)
            return
        last = rest.rfind(b"\n") + 1
        begun, skipped = self._rest, self._skips
        self._rest, self._skips = rest[last:], False
        self.offset = self._at - len(self._rest)
        for line in (begun + first, *rest[:last].split(b"\n")[:-1]):
            event = self._event(line, skipped)
            skipped = False
            if event is not None:
                yield event

    def _keep(self, data: bytes) -> None:
        """A piece of a line; of one that is too long no more than its beginning."""
        if not self._skips:
            self._rest += data
            self._skips = len(self._rest) > LONGEST
        if self._skips:
            self._rest = self._rest[:PIECE]

    def _event(self, line: bytes, skipped: bool) -> AnyEvent | None:
        self._line += 1
        try:
            if skipped:
                raise ValueError(f"it is longer than {LONGEST // MIB} MiB")
            event = decoded(line)
            self._check(event)
        except (ValueError, RecursionError) as error:
            event = self._unread(line, said(error))
        self.next_seq = max(self.next_seq, event.seq + 1)
        self._branches.add(event.branch)
        self._before = event
        known = not isinstance(event, Unread) or event.of in ("", *TYPES)
        return event if known else None

    def _check(self, event: AnyEvent) -> None:
        """Raises ValueError where `event` does not go together with those before it."""
        if not isinstance(event, Branched):
            return
        if event.branch in self._branches:
            raise ValueError(f"branch {event.branch} has begun before")
        if event.parent >= event.branch or event.parent not in self._branches:
            raise ValueError(f"branch {event.branch} cannot begin on branch {event.parent}")

    def _unread(self, line: bytes, why: str) -> Unread:
        """What stands for the line. Raises UserError once there are too many."""
        before, kind, seq = self._before, _type.match(line), _seq.search(line[:300])
        self.unread += 1
        if self.unread > MOST:
            raise UserError(
                f"{self._file}: more than {MOST} lines cannot be read: is this the record of a run?"
            )
        return Unread(
            step=before.step if before else 0,
            branch=before.branch if before else 0,
            seq=max(self.next_seq, int(seq[1]) if seq else 0),
            time=before.time if before else 0.0,
            why=f"line {self._line} of {NAME} cannot be read: {why}",
            kind="unread",
            line=self._line,
            of=kind[1].decode() if kind else "",
        )


def decoded(line: bytes) -> AnyEvent:
    """The event that a line is. Raises ValueError, or RecursionError."""
    event = _decoder.decode(line)
    match event:
        case Finished(confusion=confusion, classes=classes) if confusion is not None:
            if any(len(row) != len(classes) for row in (confusion, *confusion)):
                raise ValueError("its confusion does not go with its classes")
        case CommandApplied() | CommandRejected() if not event.command.strip():
            raise ValueError("it names no command")
    return event


def read_events(run: Path) -> tuple[list[AnyEvent], int]:
    """All events of `run` whose lines are complete, and the byte after them. Raises UserError."""
    journal = Journal(run)
    return journal.read(), journal.offset


def said(error: Exception) -> str:
    """What a decoder has to say, in one line that is safe to show."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return "".join(char if char.isprintable() else "\ufffd" for char in str(error)[:200])

"""A feed with nobody at the other end: what is sent is kept, what comes is handed in."""

import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from trainconsole.engine.errors import UserError
from trainconsole.engine.history import Rows
from trainconsole.engine.messages import AnyEvent, Status
from trainconsole.tui.feed import Feed


class Wire(Feed):
    """`hand` is the host that speaks, `hang_up` one that leaves."""

    def __init__(self, run: Path) -> None:
        super().__init__(run)
        self.sent: list[str] = []
        self.refuses = ""
        self.damaged = ""
        self._alive = True
        self._own, self._other = socket.socketpair()
        self._waiting: tuple[list[Status], list[AnyEvent], list[Rows]] = ([], [], [])

    def hand(
        self, status: Status | None = None, events: Sequence[AnyEvent] = (), rows: Rows | None = None
    ) -> None:
        self._waiting[0].extend([status] if status is not None else [])
        self._waiting[1].extend(events)
        self._waiting[2].extend([rows] if rows is not None else [])
        self._other.send(b".")

    def hang_up(self) -> None:
        self._alive = False
        self._other.send(b".")

    @property
    def live(self) -> bool:
        return self._alive

    def connect(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._own.fileno()

    def listen(self) -> bool:
        self._own.recv(4096)
        self.status = self._waiting[0][-1] if self._waiting[0] else self.status
        self._waiting[0].clear()
        return self.status is not None

    def send(self, command: str) -> str:
        if self.refuses:
            raise UserError(self.refuses)
        self.sent.append(command)
        return f"id{len(self.sent)}"

    def events(self) -> list[AnyEvent]:
        if self.damaged:
            raise UserError(self.damaged)
        taken = list(self._waiting[1])
        self._waiting[1].clear()
        return taken

    def rows(self) -> Iterator[Rows]:
        while self._waiting[2]:
            yield self._waiting[2].pop(0)

    def close(self) -> None:
        self._own.close()
        self._other.close()

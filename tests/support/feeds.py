"""A feed with nobody at the other end: what is sent is kept, what comes is handed in."""

import socket
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.events import AnyEvent
from trainconsole.engine.protocol.status import Status
from trainconsole.engine.record.metric_rows import ROW, Rows
from trainconsole.tui.state.feed import Feed


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
        return self._alive

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

    def events(self, most: int | None = None) -> list[AnyEvent]:
        if self.damaged:
            raise UserError(self.damaged)
        taken = list(self._waiting[1])
        self._waiting[1].clear()
        return taken

    @property
    def told(self) -> bool:
        return not self._waiting[1]

    def rows(self) -> Rows:
        return self._waiting[2].pop(0) if self._waiting[2] else np.zeros(0, ROW)

    @property
    def drawn(self) -> bool:
        return not self._waiting[2]

    def close(self) -> None:
        self._own.close()
        self._other.close()

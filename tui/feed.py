"""The console's ear: the status as the host pushes it, events and rows as the record has them."""

import time
from collections.abc import Iterator
from pathlib import Path

from trainconsole.engine import live, record
from trainconsole.engine.client import Client
from trainconsole.engine.errors import UserError
from trainconsole.engine.history import Rows
from trainconsole.engine.messages import AnyEvent, Status
from trainconsole.engine.spawn import has_ended

ORIGIN = "console"
APPEARS = 30.0
"""Seconds that a host may take to be listed: it does so before it loads torch."""
CHUNK = 1_000_000
"""Rows read at a time, 40 MB: a long record is never in memory twice."""


class Feed:
    """Reads one run. `status` is the newest one, None before a host has said anything."""

    def __init__(self, run: Path, pid: int | None = None) -> None:
        """`pid` is that of a host which was started just now and may not be listed yet."""
        self.run = run
        self.status: Status | None = None
        self._pid = pid
        self._until = time.monotonic() + APPEARS
        self._client: Client | None = None
        self._offset = 0
        self._rows = 0

    @property
    def live(self) -> bool:
        """Whether a host is at the other end."""
        return self._client is not None and not self._client.gone

    def connect(self) -> bool:
        """Try once to reach the host. Raises UserError where it is there but does not answer."""
        entry = live.of(self.run)
        if entry is not None:
            self._client = Client(Path(entry.socket))
        return self.live

    @property
    def awaited(self) -> bool:
        """Whether a host may still come that was started just now."""
        return self._pid is not None and has_ended(self._pid) is None and time.monotonic() < self._until

    @property
    def failed(self) -> str:
        """Why a host that was started just now never trained, as far as is known here."""
        code = has_ended(self._pid) if self._pid is not None else None
        if self._pid is None or code == 0:
            return ""
        what = "has not begun" if code is None else f"ended with code {code} before it began"
        return f"the host {what}; {self.run / 'host.log'} may say why"

    def fileno(self) -> int:
        """Readable means that `listen` has something to do; -1 where there was never a host."""
        return self._client.fileno() if self._client is not None else -1

    def listen(self) -> bool:
        """Take the statuses that have come; whether there was one. Raises UserError."""
        if self._client is None or not self._client.receive(0):
            return False
        self.status = self._client.latest
        return True

    def send(self, command: str) -> str:
        """Ask the host; returns the id of the answer. Raises UserError."""
        if self._client is None:
            raise UserError("nobody is training this run")
        return self._client.send(command, ORIGIN)

    def events(self) -> list[AnyEvent]:
        """Those that are new."""
        events, self._offset = record.read_events(self.run, self._offset)
        return events

    def rows(self) -> Iterator[Rows]:
        """Those that are new, a bounded number at a time."""
        while len(rows := record.read_rows(self.run, self._rows, CHUNK)):
            self._rows += len(rows)
            yield rows

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

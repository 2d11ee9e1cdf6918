"""The console's ear: the status as the host pushes it, events and rows as the record has them."""

import time
from collections.abc import Mapping
from pathlib import Path

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.host.script_process import last_line
from trainconsole.engine.host.spawn import has_ended
from trainconsole.engine.protocol.commands import Request
from trainconsole.engine.protocol.events import AnyEvent
from trainconsole.engine.protocol.status import Status
from trainconsole.engine.record.journal import Journal
from trainconsole.engine.record.metric_rows import Rows
from trainconsole.engine.record.metrics_file import CHUNK, MetricFile
from trainconsole.engine.record.run_directory import read_config
from trainconsole.engine.record.scalars import Found, ScalarReader
from trainconsole.engine.runs.launch import abandon_new
from trainconsole.engine.transport import registry as live
from trainconsole.engine.transport.client import Client, requested

ORIGIN = "console"
APPEARS = 30.0
"""Seconds that a host may take to be listed: it does so before it loads torch."""
PIECE = 1 << 18
"""Bytes of events that are read at a time: some milliseconds."""


class Feed:
    """Reads one run. `status` is the newest one, None before a host has said anything."""

    def __init__(self, run: Path, pid: int | None = None) -> None:
        """`pid` is that of a host which was started just now and may not be listed yet."""
        self.run = run
        self.status: Status | None = None
        self._pid = pid
        # What a script does before it attaches takes as long as it takes.
        self._is_script = pid is not None and _is_script(run)
        self._until = time.monotonic() + APPEARS
        self._client: Client | None = None
        self._held: list[Request] = []
        self._journal = Journal(run)
        self._metrics = MetricFile(run)
        self._scalars = ScalarReader(run)

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

    def reconnect(self) -> bool:
        """Reach the host again after it has let this connection go, which it does with those that do not
        read, as one that is suspended; False where it does not train any more."""
        status = self.status
        if status is None or status.stage == "finished" or (status.error and status.stage != "paused"):
            return False
        self.close()
        try:
            return self.connect()
        except UserError:
            return False

    @property
    def awaited(self) -> bool:
        """Whether a host may still come that was started just now."""
        if self._pid is None or has_ended(self._pid) is not None:
            return False
        return self._is_script or time.monotonic() < self._until

    @property
    def failed(self) -> str:
        """Why a host that was started just now never trained, as far as is known here."""
        code = has_ended(self._pid) if self._pid is not None else None
        if self._is_script and code is not None:
            return scripts_end(self.run, code)
        if self._pid is None or code == 0:
            return ""
        what = "has not begun" if code is None else f"ended with code {code} before it began"
        return f"the host {what}; {self.run / 'host.log'} may say why"

    def fileno(self) -> int:
        """Readable means that `listen` has something to do; -1 where there was never a host."""
        return self._client.fileno() if self._client is not None else -1

    def listen(self) -> bool:
        """Take the statuses that have come; whether there was one. Raises UserError, also NoRoom."""
        if self._client is None or not self._client.receive(0):
            return False
        self.status = self._client.latest
        while self._held:
            self._client.put(self._held[0])
            del self._held[0]
        return True

    def send(self, command: str) -> str:
        """Ask the host, once it has let this one in; returns the id of the answer. Raises UserError."""
        if self._client is None:
            raise UserError("nobody is training this run")
        request = requested(command, ORIGIN)
        if self._client.latest is None and not self._client.gone:
            self._held.append(request)
        else:
            self._client.put(request)
        return request.id

    def events(self, most: int | None = None) -> list[AnyEvent]:
        """Those that are new, of `most` bytes; raises UserError. `told` says whether there are more."""
        return self._journal.read(most)

    @property
    def told(self) -> bool:
        """Whether all events were read that were there at the last look."""
        return self._journal.exhausted

    def rows(self) -> Rows:
        """Those that are new, a bounded number; raises UserError. `drawn` says whether there are more."""
        return self._metrics.read(CHUNK)

    @property
    def drawn(self) -> bool:
        """The same of rows."""
        return self._metrics.exhausted

    @property
    def unread_rows(self) -> int:
        """How many rows were none."""
        return self._metrics.unread

    def own_numbers(self) -> Found:
        """Those that are new, a bounded number; never fails. `logged` says whether there are more."""
        return self._scalars.read(CHUNK)

    @property
    def logged(self) -> bool:
        """The same of own numbers."""
        return self._scalars.exhausted

    @property
    def refused(self) -> Mapping[str, str]:
        """Why own numbers cannot be read, by name; "*" of all."""
        return self._scalars.refused

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def _is_script(run: Path) -> bool:
    try:
        return read_config(run).script is not None
    except UserError:
        return False


def scripts_end(run: Path, code: int) -> str:
    """Why a script never trained, as far as is known here; its run leaves no directory then."""
    said = last_line(run)
    how = f"ended with code {code}" if code >= 0 else f"was ended by signal {-code}"
    abandon_new(run)
    return f"the script {how} before its loop began" + (f"\n{said}" if said else "")

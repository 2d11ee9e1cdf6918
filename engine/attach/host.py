"""The script's own process as a host: its socket, its lock on the run, its place in the list of live ones."""

import contextlib
import logging
import os
import queue
import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from trainconsole.engine.boundary.command_queue import Inbox
from trainconsole.engine.host.host_log import LogHandler
from trainconsole.engine.protocol.commands import Interrupt, Request
from trainconsole.engine.protocol.events import Event
from trainconsole.engine.protocol.status import Stage, Status
from trainconsole.engine.record.lock import RunLock
from trainconsole.engine.transport import registry, unix_socket
from trainconsole.engine.transport.server import Server

if TYPE_CHECKING:
    from trainconsole.engine.reporting.reporter import Reporter

ENDS = ("SIGINT", "SIGTERM")
"""After these the run is saved at its next step; then the script's own handler is called on."""

log = logging.getLogger("trainconsole")


class Outbox(queue.SimpleQueue["Event | None"]):
    """Nobody reads events here but in the record: each rings for the server."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server

    def put(self, item: Event | None, block: bool = True, timeout: float | None = None) -> None:
        self._server.wake()


class OwnHost:
    """Serves clients in a thread of its own; commands wait in `inbox`. Raises UserError where the run is in
    use, or the socket has no safe place."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.inbox: Inbox = queue.SimpleQueue()
        self.report: Reporter | None = None
        self._early = Status(pid=os.getpid(), run=run.name)
        self._server = Server(self, unix_socket.socket_path(run, os.getpid()))
        self.outbox = Outbox(self._server)
        self._lock = RunLock(run)
        self._entry: Path | None = None
        self._handler: LogHandler | None = None
        self._before: dict[int, Any] = {}
        self._open()

    @property
    def status(self) -> Status:
        return self.report.status if self.report else self._early

    @property
    def early(self) -> Status:
        """What a reporter begins with."""
        return self._early

    def stage(self, stage: Stage) -> None:
        """Before there is a reporter."""
        self._early = replace(self._early, stage=stage)
        self._server.wake()

    def send(self, request: Request) -> None:
        self.inbox.put(request)

    def close(self) -> None:
        """Take leave of the clients, of the list, of the run. A second time does nothing."""
        self.let_signals_go()
        self._server.close()
        if self._entry is not None:
            registry.unregister(self._entry)
            self._entry = None
        self._lock.release()
        if self._handler is not None:
            log.removeHandler(self._handler)
            self._handler.close()
            self._handler = None

    def _open(self) -> None:
        self._lock.acquire()
        try:
            self._server.open()
            self._handler = LogHandler(self.run)
            log.addHandler(self._handler)
            log.propagate = False
        except BaseException:
            self._lock.release()
            raise
        with contextlib.suppress(OSError):
            self._entry = registry.register(self.run, self._server.path)

    # --- signals ---

    def hear_signals(self) -> None:
        """Where this is the main thread. What the script had set is called on: at once where that is a
        function of its own, after the run was saved where it is the system's or Python's."""
        with contextlib.suppress(ValueError):
            for name in ENDS:
                number = signal.Signals[name]
                before = signal.getsignal(number)
                if before is not signal.SIG_IGN:
                    self._before[number] = before
                    signal.signal(number, self._handle)

    def let_signals_go(self) -> None:
        """As it was, unless the script has set others since."""
        with contextlib.suppress(ValueError):
            for number, before in self._before.items():
                if signal.getsignal(number) == self._handle:
                    signal.signal(number, before)
        self._before = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        before, name = self._before.get(number), signal.Signals(number).name
        if callable(before) and before is not signal.default_int_handler:
            # The script knows what to do; what it comes to is saved before.
            self.inbox.put(Request(id=f"{name}-{os.getpid()}", origin="signal", command="checkpoint"))
            before(number, frame)
            return
        # A second one is meant: the script is left where it is.
        self.let_signals_go()
        self.inbox.put(Interrupt(signal=name))


def raise_again(name: str) -> None:
    """What the signal would have done: the script's, Python's or the system's handler decides."""
    signal.raise_signal(signal.Signals[name])

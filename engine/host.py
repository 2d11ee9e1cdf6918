"""The process that trains: a thread for the loop, the rest for signals and clients.

Nothing here imports torch before the training thread starts, so that the host answers while torch loads.
"""

import logging
import os
import queue
import shutil
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from trainconsole.engine import address, live
from trainconsole.engine.errors import UserError
from trainconsole.engine.launch import Launch
from trainconsole.engine.lock import RunLock
from trainconsole.engine.messages import Event, Failed, Interrupt, Interrupted, Request, Stage, Status
from trainconsole.engine.server import Server

if TYPE_CHECKING:
    from trainconsole.engine.loop import Loop
    from trainconsole.engine.reporter import Reporter

SIGNAL_CODES = {"SIGINT": 130, "SIGTERM": 143}
SWITCH = 0.001
"""Seconds that the training goes on while another thread, which has a command, waits for the interpreter."""

log = logging.getLogger("trainconsole")


@dataclass(frozen=True)
class Outcome:
    """How the process should end: its exit code, and what to say on stderr if anything."""

    code: int
    error: str = ""


class Outbox(queue.SimpleQueue["Event | None"]):
    """Rings for the server with each event: the status that goes with it is published by then."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server

    def put(self, item: Event | None, block: bool = True, timeout: float | None = None) -> None:
        super().put(item)
        self._server.wake()


class Host:
    """One session of one run. Events come out of `outbox`, None when there will be no more; then `outcome`
    is set."""

    def __init__(self, launch: Launch) -> None:
        self._server = Server(self, address.socket_path(launch.path, os.getpid()))
        self._lock = RunLock(launch.path)
        self._entry: Path | None = None
        self.outbox = Outbox(self._server)
        self.outcome: Outcome | None = None
        self._signal = ""
        self._launch = launch
        self._inbox: queue.SimpleQueue[Request | Interrupt] = queue.SimpleQueue()
        self._early = Status(pid=os.getpid(), run=launch.path.name)
        self._report: Reporter | None = None
        # Held while the run begins or is abandoned: a signal finds it before or after, never half begun.
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="training", daemon=True)

    @property
    def status(self) -> Status:
        return self._report.status if self._report else self._early

    def start(self) -> None:
        sys.setswitchinterval(SWITCH)
        self._thread.start()

    def close(self, linger: float = 0.0) -> None:
        """Call it once the outbox has said None: take leave of the clients, of the list, of the run.

        After a start that failed, clients that come within `linger` seconds still learn why.
        """
        self._server.close(linger if self._early.error else 0.0)
        if self._entry is not None:
            live.unregister(self._entry)
        self._lock.release()

    def send(self, request: Request) -> None:
        """Queue a command; the event that answers it carries its id."""
        self._inbox.put(request)

    def interrupt(self, signal: str) -> None:
        """Save and leave at the next step; before training has begun, leave now and remove the directory."""
        with self._gate:
            if self._report is None and self.outcome is None:
                self._abandon(Outcome(SIGNAL_CODES[signal], f"{signal} before training began: nothing kept"))
            else:
                self._signal = signal
                if self._report is not None:
                    self._report.leaving.set()
                self._inbox.put(Interrupt(signal=signal))

    # --- the training thread ---

    def _work(self) -> None:
        handler: logging.Handler | None = None
        try:
            self._server.open()
            self._lock.acquire()
            handler = self._open_log()
            self._register()
            outcome = self._train()
        except Exception as error:
            log.exception("the run could not start")
            outcome = self._not_started(reason_of(error))
        finally:
            if handler is not None:
                self._close_log(handler)
        with self._gate:
            if self.outcome is None:
                self._settle(outcome)

    def _open_log(self) -> logging.Handler:
        handler = logging.FileHandler(self._launch.path / "host.log")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.captureWarnings(True)
        for logger in (log, logging.getLogger("py.warnings")):
            logger.addHandler(handler)
            logger.propagate = False
        return handler

    @staticmethod
    def _close_log(handler: logging.Handler) -> None:
        for logger in (log, logging.getLogger("py.warnings")):
            logger.removeHandler(handler)
        handler.close()

    def _register(self) -> None:
        try:
            self._entry = live.register(self._launch.path, self._server.path)
        except OSError as error:
            log.warning("the run is missing from the list of live ones: %s", error)

    def _train(self) -> Outcome:
        self._stage("loading torch")
        # Threads of OpenMP that spin while a neighbour wants the core stall a step for 250 ms on two cores;
        # ten thousand turns are enough where none does.
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
        from trainconsole.engine import session

        trainer = session.set_up(self._launch, self._stage)
        with self._gate:
            if self.outcome is not None:
                return self.outcome
            loop, self._report = session.begin(trainer, self._launch, self._early, self.outbox, self._inbox)
        return self._ended(loop)

    def _ended(self, loop: "Loop") -> Outcome:
        try:
            event = loop.run()
        except Exception as error:
            return self._broken(loop, error)
        finally:
            loop.close()
        if isinstance(event, Interrupted):
            return Outcome(SIGNAL_CODES[event.signal])
        if isinstance(event, Failed):
            return Outcome(1, event.reason)
        return Outcome(0)

    def _broken(self, loop: "Loop", error: Exception) -> Outcome:
        """The record says why, if the disk lets it."""
        log.exception("the run failed")
        reason = reason_of(error)
        if self._signal and isinstance(error, OSError):
            return Outcome(SIGNAL_CODES[self._signal], f"not saved: {reason}")
        try:
            loop.fail(reason)
        except (OSError, RuntimeError):
            log.exception("the failure could not be recorded")
        return Outcome(1, f"{reason}\nmore in {self._launch.path / 'host.log'}")

    def _stage(self, stage: Stage) -> None:
        self._early = replace(self._early, stage=stage)

    def _not_started(self, reason: str) -> Outcome:
        with self._gate:
            self._early = replace(self._early, error=reason)
            self._abandon(Outcome(2, reason))
        return Outcome(2, reason)

    def _abandon(self, outcome: Outcome) -> None:
        """Nothing was trained: leave no directory of a new run. The gate is held."""
        if self.outcome is None:
            if not self._launch.resume:
                shutil.rmtree(self._launch.path, ignore_errors=True)
            self._settle(outcome)

    def _settle(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.outbox.put(None)


def reason_of(error: Exception) -> str:
    """What to tell a person: the text of a UserError as it is, of anything else with its kind."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    return f"{type(error).__name__}: {error}"

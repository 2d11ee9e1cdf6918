"""The process that trains: a thread for the loop, the rest for signals and clients.

Nothing here imports torch before the training thread starts, so that the host answers while torch loads.
"""

import errno
import logging
import os
import queue
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from trainconsole.engine.common import signals, user_code
from trainconsole.engine.common.errors import UserError, missing
from trainconsole.engine.host import host_log
from trainconsole.engine.protocol.commands import Interrupt, Request
from trainconsole.engine.protocol.events import Event, Failed, Interrupted
from trainconsole.engine.protocol.status import Stage, Status
from trainconsole.engine.record.lock import RunLock
from trainconsole.engine.reporting.python_warnings import Heard
from trainconsole.engine.runs import trust
from trainconsole.engine.runs.launch import Launch, abandon
from trainconsole.engine.transport import registry, unix_socket
from trainconsole.engine.transport.server import Server

if TYPE_CHECKING:
    from trainconsole.engine.reporting.reporter import Reporter
    from trainconsole.engine.session.loop import Loop

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
        self._server = Server(self, unix_socket.socket_path(launch.path, os.getpid()))
        self._lock = RunLock(launch.path)
        self._entry: Path | None = None
        self.outbox = Outbox(self._server)
        self.outcome: Outcome | None = None
        self._signal = ""
        self._notices = 0
        self._launch = launch
        self._inbox: queue.SimpleQueue[Request | Interrupt] = queue.SimpleQueue()
        self._code = None if launch.code is None else set(launch.code)
        self._early = Status(pid=os.getpid(), run=launch.path.name)
        self._report: Reporter | None = None
        self._heard = Heard()
        # Held while the run begins or is abandoned: a signal finds it before or after, never half begun.
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="training", daemon=True)

    @property
    def status(self) -> Status:
        return self._report.status if self._report else self._early

    def start(self) -> None:
        """Unless a signal came first."""
        sys.setswitchinterval(SWITCH)
        if self.outcome is None:
            self._thread.start()

    def close(self, linger: float = 0.0) -> None:
        """Call it once the outbox has said None: take leave of the clients, of the list, of the run.

        After a start that failed, clients that come within `linger` seconds still learn why.
        """
        self._server.close(linger if self._early.error else 0.0)
        if self._entry is not None:
            registry.unregister(self._entry)
        self._lock.release()

    def send(self, request: Request) -> None:
        """Queue a command; the event that answers it carries its id. Code that it names may be imported: only
        this user can have sent it."""
        code = trust.in_command(request.command)
        trust.remember(self._launch.path, code)
        if self._code is not None:
            self._code.update(named.target for named in code)
        self._inbox.put(request)

    def interrupt(self, signal: str) -> None:
        """Save and leave at the next step; before training has begun, leave now and remove the directory.

        At a notice (SIGUSR1, SIGUSR2) of which the config says so: save and go on, if training has begun.
        """
        with self._gate:
            if self.goes_on_after(signal):
                if self._report is not None:
                    self._notices += 1
                    name = f"{signal}-{self._notices}"
                    self._inbox.put(Request(id=name, origin="signal", command="checkpoint"))
            elif self._report is None and self.outcome is None:
                kept = "the run is as it was" if self._launch.resume else "nothing kept"
                self._abandon(Outcome(signals.CODES[signal], f"{signal} before training began: {kept}"))
            else:
                self._signal = signal
                if self._report is not None:
                    self._report.leaving.set()
                self._inbox.put(Interrupt(signal=signal))

    def goes_on_after(self, signal: str) -> bool:
        """Whether `signal` is a notice at which the run is to be saved and not to be left."""
        return signal in signals.NOTICES and self._launch.config.on_signal == "continue"

    # --- the training thread ---

    def _work(self) -> None:
        """Whatever happens, in the user's code too, there is an outcome in the end: others wait for it."""
        try:
            self._server.open()
            self._lock.acquire()
            with host_log.written(self._launch.path, self._heard):
                self._register()
                outcome = self._train()
        except BaseException as error:
            outcome = self._not_started(reason_of(error) + self._room_wanted(error))
        with self._gate:
            if self.outcome is None:
                self._settle(outcome)

    def _register(self) -> None:
        try:
            self._entry = registry.register(self._launch.path, self._server.path)
        except OSError as error:
            log.warning("the run is missing from the list of live ones: %s", error)

    def _train(self) -> Outcome:
        self._stage("loading torch")
        # Threads of OpenMP that spin while a neighbour wants the core stall a step for 250 ms on two cores;
        # ten thousand turns are enough where none does.
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
        from trainconsole.engine.session import setup

        user_code.permit(self._code)
        try:
            trainer = setup.set_up(self._launch, self._stage)
            with self._gate:
                if self.outcome is not None:
                    return self.outcome
                loop, self._report = setup.begin(trainer, self._launch, self._early, self.outbox, self._inbox)
        except BaseException:
            log.exception("the run could not start")
            raise
        self._report.heard = self._heard
        return self._ended(loop)

    def _ended(self, loop: "Loop") -> Outcome:
        try:
            event = loop.run()
        except BaseException as error:
            return self._broken(loop, error)
        finally:
            self._let_go(loop)
        if isinstance(event, Interrupted):
            return Outcome(signals.CODES[event.signal])
        if isinstance(event, Failed):
            return Outcome(1, event.reason)
        return Outcome(0)

    @staticmethod
    def _let_go(loop: "Loop") -> None:
        """A disk that is still full is no reason to fail now: how the run ended is known."""
        try:
            loop.close()
        except Exception:
            log.exception("the run directory could not be closed")

    def _broken(self, loop: "Loop", error: BaseException) -> Outcome:
        """The record says why, if the disk lets it."""
        log.exception("the run failed")
        reason = reason_of(error)
        if self._signal and isinstance(error, OSError):
            name = self._launch.path.name
            return Outcome(
                signals.CODES[self._signal],
                f"{self._signal}: not saved in {self._launch.path}: {reason}\n"
                f"What was saved before is there: 'trainconsole resume {name}' goes on from it.",
            )
        is_there = self._launch.path.is_dir()
        if not is_there:
            reason = f"{self._launch.path} is gone: renamed or removed while it trained"
        try:
            loop.fail(reason)
        except Exception:
            log.exception("the failure could not be recorded")
        more = f"more in {self._launch.path / 'host.log'}"
        return Outcome(
            1, f"{reason}\n{more if is_there else 'trainconsole resume DIRECTORY goes on with it'}"
        )

    def _stage(self, stage: Stage) -> None:
        self._early = replace(self._early, stage=stage)

    def _not_started(self, reason: str) -> Outcome:
        with self._gate:
            self._early = replace(self._early, error=reason)
            self._abandon(Outcome(2, reason))
        return Outcome(2, reason)

    def _room_wanted(self, error: BaseException) -> str:
        """What to do about a disk that is full."""
        if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return ""
        return f"\nMake room for {self._launch.path}, then say it again."

    def _abandon(self, outcome: Outcome) -> None:
        """Nothing was trained: leave no directory of a new run. The gate is held."""
        if self.outcome is None:
            abandon(self._launch)
            self._settle(outcome)

    def _settle(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.outbox.put(None)


def reason_of(error: BaseException) -> str:
    """What to tell a person: the text of a UserError as it is, of anything else with its kind."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    if told := missing(error):
        return told
    text = f"{type(error).__name__}: {error}"
    return f"out of memory, a smaller batch needs less ({text.splitlines()[0]})" if _ran_out(error) else text


def _ran_out(error: BaseException) -> bool:
    if "torch" not in sys.modules:
        return isinstance(error, MemoryError)
    from trainconsole.engine.tensors import memory

    return memory.ran_out(error)

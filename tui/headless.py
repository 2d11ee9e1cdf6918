"""A run without a console: progress on stderr, the result on stdout. Owns the process while it trains."""

import os
import queue
import signal
import sys
from types import FrameType
from typing import NoReturn, Protocol

import msgspec

from trainconsole.engine.host import SIGNAL_CODES, Host
from trainconsole.engine.launch import Launch
from trainconsole.engine.messages import Event, Finished, Status
from trainconsole.tui.progress import LivePrinter, PlainPrinter
from trainconsole.tui.result import result
from trainconsole.tui.streams import Stream

REFRESH = 0.1
"""Seconds between two looks at the status; the training thread is never asked."""


class Printer(Protocol):
    """Shows a run as it goes. Never raises for a terminal that is gone."""

    def event(self, event: Event) -> None: ...

    def status(self, status: Status) -> None: ...

    def close(self) -> None: ...


class JsonPrinter:
    """Events as they stand in events.jsonl, one line each."""

    def __init__(self, out: Stream) -> None:
        self._out = out

    def event(self, event: Event) -> None:
        self._out.write(msgspec.json.encode(event).decode() + "\n")
        self._out.flush()

    def status(self, status: Status) -> None:
        """Nothing: stdout carries the events and nothing else."""

    def close(self) -> None:
        self._out.flush()


def run(launch: Launch, *, as_json: bool) -> NoReturn:
    """Train in this process until the run ends, then exit with its code."""
    out, err = Stream(os.dup(1)), Stream(os.dup(2))
    host = Host(launch)
    printer = _printer(as_json, out, err)
    _handle_signals(host, printer)
    _keep_prints(launch)
    host.start()
    last = _follow(host, printer)
    printer.close()
    outcome = host.outcome
    if isinstance(last, Finished) and not as_json:
        out.write(result(launch, last, width=out.width, color=out.is_terminal))
    if outcome is not None and outcome.error:
        err.write(f"trainconsole: {outcome.error}\n")
    out.flush()
    err.flush()
    # Threads of torch may still be there; a normal shutdown would wait for them, or crash in them.
    os._exit(outcome.code if outcome is not None else 1)


def _printer(as_json: bool, out: Stream, err: Stream) -> Printer:
    if as_json:
        return JsonPrinter(out)
    return LivePrinter(err) if err.is_terminal else PlainPrinter(err)


def _follow(host: Host, printer: Printer) -> Event | None:
    """Show events until there are no more; returns the last one."""
    last = None
    while True:
        try:
            event = host.outbox.get(timeout=REFRESH)
        except queue.Empty:
            printer.status(host.status)
            continue
        if event is None:
            return last
        printer.event(event)
        last = event


def _handle_signals(host: Host, printer: Printer) -> None:
    """Once: save and leave at the next step. A second Ctrl-C leaves now. A hang-up is nothing."""
    seen: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if number == signal.SIGINT and seen:
            printer.close()
            os._exit(SIGNAL_CODES[name])
        seen.append(number)
        host.interrupt(name)

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _keep_prints(launch: Launch) -> None:
    """What the model, the data or a library prints goes to host.log: stdout is for the result."""
    log = os.open(launch.path / "host.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    sys.stdout.flush()
    os.dup2(log, 1)
    os.close(log)

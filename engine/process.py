"""What a process that trains owes the system: signals, prints, the exit code."""

import os
import queue
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn, Protocol

from trainconsole.engine.host import SIGNAL_CODES, Host
from trainconsole.engine.launch import Launch
from trainconsole.engine.messages import Event, Status

REFRESH = 0.1
"""Seconds between two looks at the status; the training thread is never asked."""


class Watcher(Protocol):
    """Is told of a run as it goes. Never raises for a terminal that is gone."""

    def event(self, event: Event) -> None: ...

    def status(self, status: Status) -> None: ...


def handle_signals(host: Host, leaving: Callable[[], None] | None = None) -> None:
    """Save and leave at the next step; at a second Ctrl-C leave now. A hang-up is nothing."""
    seen: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if number == signal.SIGINT and seen:
            if leaving is not None:
                leaving()
            os._exit(SIGNAL_CODES[name])
        seen.append(number)
        host.interrupt(name)

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def keep_prints(launch: Launch) -> None:
    """What the model, the data or a library prints goes to host.log: stdout is for the result."""
    log = os.open(launch.path / "host.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    sys.stdout.flush()
    os.dup2(log, 1)
    os.close(log)


def follow(host: Host, watcher: Watcher) -> Event | None:
    """Tell `watcher` all there is until there is no more; returns the last event."""
    last, looked = None, time.monotonic()
    while True:
        try:
            event = host.outbox.get(timeout=REFRESH)
            if event is None:
                return last
            watcher.event(event)
            last = event
        except queue.Empty:
            pass
        if time.monotonic() - looked >= REFRESH:
            watcher.status(host.status)
            looked = time.monotonic()


def leave(code: int) -> NoReturn:
    """End the process at once.

    Threads of torch may still be there; a normal shutdown would wait for them, or crash in them.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

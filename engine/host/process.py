"""What a process that trains owes the system: signals, prints, the exit code."""

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn, Protocol

from trainconsole.engine.common import orphaned_files, signals
from trainconsole.engine.host.host import Host
from trainconsole.engine.host.host_log import open_log
from trainconsole.engine.protocol.events import Event
from trainconsole.engine.protocol.status import Status
from trainconsole.engine.runs.launch import Launch

AGAIN = 0.2
"""Seconds after which a second signal is meant: wrappers pass on what their group was sent already."""
SLOW = 2.0
"""Seconds after which a person who wants to leave is told what is waited for."""
REFRESH = 0.1
"""Seconds between two looks at the status; the training thread is never asked."""


class Watcher(Protocol):
    """Is told of a run as it goes. Never raises for a terminal that is gone."""

    def event(self, event: Event) -> None: ...

    def status(self, status: Status) -> None: ...


def handle_signals(host: Host, leaving: Callable[[], None] | None = None) -> None:
    """Save and leave at the next step; at a second demand leave now, and `leaving` is called first. A hang-up
    is nothing. Those that were held back come now."""
    first: list[float] = []

    def handle(number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if name in signals.DEMANDS and first and time.monotonic() - first[0] > AGAIN:
            with contextlib.suppress(Exception):
                if leaving is not None:
                    leaving()
            orphaned_files.kill_children()
            os._exit(signals.CODES[name])
        if not host.goes_on_after(name):
            if not first:
                threading.Timer(SLOW, _tell_what_is_waited_for, [name]).start()
            first.append(time.monotonic())
        host.interrupt(name)

    for number in signals.obeyed():
        signal.signal(number, handle)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals.release()


def _tell_what_is_waited_for(name: str) -> None:
    text = (
        f"{name}: waiting for the end of this step, to save; a second SIGTERM or Ctrl-C leaves now, unsaved"
    )
    with contextlib.suppress(OSError):
        os.write(2, f"\n{text}\n".encode())


def keep_prints(launch: Launch) -> None:
    """What the model, the data or a library prints goes to host.log: stdout is for the result."""
    log = open_log(launch.path)
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
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    orphaned_files.kill_children()
    os._exit(code)

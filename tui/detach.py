"""A run in a process of its own, and this terminal as one who watches it."""

import os
import sys
import time
from typing import NoReturn

from trainconsole.engine import live, logind
from trainconsole.engine.detached import has_ended, start_detached
from trainconsole.engine.launch import Launch
from trainconsole.engine.live import Live
from trainconsole.tui.refusal import fail
from trainconsole.tui.runs import still_training
from trainconsole.tui.watch import watch

NICE = 10
"""How much this process yields to the one that trains."""

APPEARS = 30.0
"""Seconds that a host may take to be listed: it does so before it loads torch."""


def run(launch: Launch) -> NoReturn:
    """Start a host and watch it until the run ends or Ctrl-C detaches; then exit."""
    for notice in (still_training(live.live()), logind.warning()):
        if notice is not None:
            print(f"trainconsole: {notice}", file=sys.stderr)
    pid = start_detached(launch)
    os.nice(NICE)
    entry = _listed(launch, pid)
    if entry is None:
        fail(f"the host has not begun; {launch.path / 'host.log'} may say why", has_ended(pid) or 2)
    sys.exit(watch(launch.path, entry))


def _listed(launch: Launch, pid: int) -> Live | None:
    deadline = time.monotonic() + APPEARS
    while time.monotonic() < deadline and has_ended(pid) is None:
        if (entry := live.of(launch.path)) is not None:
            return entry
        time.sleep(0.02)
    return None

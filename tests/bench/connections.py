"""What clients cost a run that do not behave: that never read, talk nonsense, or come and go.

Windows with and without them alternate within a run, with a core to spare for the clients.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from bench.table import Row, row
from bench.terminal import processor_time
from bench.training import secluded, seconds_a_step, training
from trainconsole.engine.record import run_directory
from trainconsole.engine.transport import registry

PAIRS = 8
WINDOW, REST = 1.0, 1.0
GOAL = 0.97

OPEN = (
    "import os, socket, sys, time\nraws = [socket.socket(socket.AF_UNIX) for _ in range(int(sys.argv[2]))]\n"
)
SILENT = OPEN + "for raw in raws: raw.connect(sys.argv[1])\ntime.sleep(600)"
TALKS = """
while True:
    try:
        raws[0].connect(sys.argv[1])
        while True: raws[0].sendall(os.urandom(4096))
    except OSError:
        raws[0].close()
        raws[0] = socket.socket(socket.AF_UNIX)
"""
COMES = """
while True:
    with socket.socket(socket.AF_UNIX) as raw: raw.connect(sys.argv[1])
"""
KINDS = {
    "64 clients that never read": (SILENT, 64),
    "500 clients that never read": (SILENT, 500),
    "a client that sends random frames": (OPEN + TALKS, 1),
    "a client that connects and leaves": (OPEN + COMES, 0),
}


class Window(NamedTuple):
    """Seconds a step, and of the host's processor time."""

    wall: float
    cost: float


def rows() -> Iterator[Row]:
    cores = os.cpu_count() or 1
    with secluded() as folder, training(folder, max(cores - 1, 1)) as run:
        for name, (code, number) in KINDS.items():
            windows = [_window(run, code, number if turn % 2 else None) for turn in range(2 * PAIRS + 1)]
            without, crowded = windows[::2], windows[1::2]
            beside = [Window(*map(statistics.fmean, zip(*pair, strict=True))) for pair in pairwise(without)]
            speed = [a.wall / b.wall for a, b in zip(beside, crowded, strict=True)]
            yield row(f"steps/s with {name}", "without", speed, GOAL)
            cost = [a.cost / b.cost for a, b in zip(beside, crowded, strict=True)]
            yield row("the same, by the host's processor time", "without", cost)


def _window(run: Path, code: str, number: int | None) -> Window:
    """With the clients that `code` makes `number` of, or without any."""
    host = registry.of(run)
    assert host is not None
    argv = [sys.executable, "-c", code, str(host.socket), str(number)]
    clients = subprocess.Popen(argv) if number is not None else None
    try:
        time.sleep(REST)
        worked, first = processor_time(host.pid), run_directory.count_rows(run)
        time.sleep(WINDOW)
        last = run_directory.count_rows(run)
        cost = (processor_time(host.pid) - worked) / (last - first)
        return Window(seconds_a_step(run, first, last), cost)
    finally:
        if clients is not None:
            clients.kill()
            clients.wait()

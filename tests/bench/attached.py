"""What a console costs while it is attached: the training's speed, its own processor time, bytes sent.

Windows with and without one alternate within a run; each window is taken in two halves, and the halves of
one without tell what equal neighbours differ by.
"""

import os
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from bench.table import Row, row
from bench.terminal import Terminal, ours, processor_time
from bench.training import secluded, seconds_a_step, training
from trainconsole.engine import live, record

PAIRS, FEWER = 10, 4
"""With a core to spare, and without one, where nothing is promised."""
TURNS = 4
WINDOW = 4.0
SETTLING = 4.0
"""Seconds from launch to where a console has built itself."""


class Window(NamedTuple):
    """Seconds a step in each half, and of the host's processor time in both; the console's share of a core
    and bytes a second, 0 without one."""

    first: float
    second: float
    cost: float
    share: float = 0.0
    bytes: float = 0.0

    @property
    def mean(self) -> float:
        return (self.first + self.second) / 2


def rows() -> Iterator[Row]:
    cores = os.cpu_count() or 1
    for threads in dict.fromkeys((max(cores - 1, 1), cores)):
        with secluded() as folder, training(folder, threads) as run:
            pairs = [alternate(folder, run, turn) for turn in range(PAIRS if threads < cores else FEWER)]
        yield from _told(pairs, threads, cores)


def _told(pairs: list[tuple[Window, Window]], threads: int, cores: int) -> Iterator[Row]:
    where, spare = f"torch on {threads} of {cores} cores", threads < cores or cores == 1
    speed = [without.mean / attached.mean for attached, without in pairs]
    yield row("steps/s with a console attached, 120x40", f"without, {where}", speed, 0.99 if spare else None)
    cost = [without.cost / attached.cost for attached, without in pairs]
    yield row("the same, by the host's processor time", f"without, {where}", cost)
    equal = [without.first / without.second for _, without in pairs]
    yield row("steps/s without a console", f"its equal neighbour, {where}", equal)
    if spare:
        shares = [100 * attached.share for attached, _ in pairs]
        yield row("console: processor time", "one core", shares, 3, better="below", unit="%")
        sent = [attached.bytes / 1000 for attached, _ in pairs]
        yield row("console: sent while training", "", sent, 8, better="below", unit="KB/s")


def alternate(folder: Path, run: Path, turn: int) -> tuple[Window, Window]:
    """A window with a console and one without, in turns which comes first."""
    without = window(run) if turn % 2 else None
    with Terminal(ours("attach", str(run)), folder) as console:
        console.until("steps/s")
        time.sleep(SETTLING)
        attached = window(run, console)
    time.sleep(0.5)
    return attached, without or window(run)


def window(run: Path, console: Terminal | None = None) -> Window:
    used, sent = _spent(console)
    host = live.of(run)
    assert host is not None
    worked = processor_time(host.pid)
    places = [record.count_rows(run)]
    began = time.monotonic()
    for _ in range(2):
        time.sleep(WINDOW / 2)
        places.append(record.count_rows(run))
    took = time.monotonic() - began
    after, count = _spent(console)
    first, second = (seconds_a_step(run, a, b) for a, b in pairwise(places))
    cost = (processor_time(host.pid) - worked) / (places[-1] - places[0])
    return Window(first, second, cost, (after - used) / took, (count - sent) / took)


def _spent(console: Terminal | None) -> tuple[float, int]:
    return (processor_time(console.process.pid), console.count) if console is not None else (0.0, 0)


def sent() -> Iterator[Row]:
    """Bytes, beside a console whose curves draw themselves in full at each frame, both at the default rate;
    and while the run is paused."""
    ratios = []
    cores = os.cpu_count() or 1
    with secluded() as folder, training(folder, max(cores - 1, 1)) as run:
        for turn in range(TURNS):
            kinds = ("changed", "whole")[:: 1 if turn % 2 else -1]
            took = {kind: _sent_by(folder, run, kind) for kind in kinds}
            ratios.append(took["changed"] / took["whole"])
        paused = _sent_while_paused(folder, run)
    yield row(
        "console: sent while training", "the same curves repainted in full", ratios, 0.1, better="below"
    )
    yield Row("console: sent while paused, 5 s", "", paused, paused, paused, 0, "below", "bytes")


def _sent_by(folder: Path, run: Path, kind: str) -> float:
    """Bytes a second for the curves alone."""
    argv = [sys.executable, "-m", "bench.repainting", str(run), kind]
    with Terminal(argv, folder) as console:
        console.until("steps/s")
        time.sleep(SETTLING)
        before = console.count
        time.sleep(WINDOW)
        return (console.count - before) / WINDOW


def _sent_while_paused(folder: Path, run: Path) -> float:
    with Terminal(ours("attach", str(run)), folder) as console:
        console.until("steps/s")
        console.press(" ")
        console.until("paused")
        time.sleep(2)
        before = console.count
        time.sleep(5)
        return float(console.count - before)

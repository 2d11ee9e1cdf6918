"""What a console costs while it is attached: the training's speed, its own processor time, bytes sent.

Windows with and without one alternate within a run, so that what slows the machine down for longer slows both
down; neighbours without one tell how well that is known.
"""

import os
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from bench.table import Row, row
from bench.terminal import Terminal, ours, processor_time
from bench.toggled import OFF, ON
from bench.training import secluded, seconds_a_step, training
from trainconsole.engine.record import run_directory
from trainconsole.engine.transport import registry

PAIRS, FEWER = 30, 8
"""With a core to spare, and without one, where nothing is promised."""
TURNS = 3
WINDOW, REST = 1.0, 0.4
"""Seconds that are measured, and those before, in which a console takes the run up or lets go of it."""
LONGER = 4.0
"""The same of a console that stays: enough frames to say what one costs."""
SETTLING = 4.0
"""Seconds from launch to where a console has built itself."""


class Window(NamedTuple):
    """Seconds a step, and of the host's processor time; the console's share of a core and bytes a second."""

    wall: float
    cost: float
    share: float
    bytes: float


def rows() -> Iterator[Row]:
    cores = os.cpu_count() or 1
    for threads in dict.fromkeys((max(cores - 1, 1), cores)):
        with secluded() as folder, training(folder, threads) as run:
            steady, windows = alternate(folder, run, PAIRS if threads < cores else FEWER)
        yield from _told(steady, windows, threads, cores)


def _told(steady: list[Window], windows: list[Window], threads: int, cores: int) -> Iterator[Row]:
    """The first of `windows` is without a console, every other one with it; `steady` ones are all with it."""
    where, spare = f"without, torch on {threads} of {cores} cores", threads < cores or cores == 1
    without, attached = windows[::2], windows[1::2]
    beside = [Window(*map(statistics.fmean, zip(*pair, strict=True))) for pair in pairwise(without)]
    speed = [a.wall / b.wall for a, b in zip(beside, attached, strict=False)]
    yield row("steps/s with a console attached, 120x40", where, speed, 0.99 if spare else None)
    cost = [a.cost / b.cost for a, b in zip(beside, attached, strict=False)]
    yield row("the same, by the host's processor time", where, cost)
    equal = [a.wall / b.wall for a, b in pairwise(without)]
    yield row("steps/s without a console", "its neighbour " + where, equal)
    error = 100 * statistics.stdev(equal) / len(equal) ** 0.5
    yield Row("the same: standard error", "", error, error, error, 1 if spare else None, "below", "%")
    if spare:
        shares = [100 * window.share for window in steady]
        yield row("console: processor time", "one core", shares, 3, better="below", unit="%")
        sent = [window.bytes / 1000 for window in steady]
        yield row("console: sent while training", "", sent, 8, better="below", unit="KB/s")


def alternate(folder: Path, run: Path, pairs: int) -> tuple[list[Window], list[Window]]:
    """Windows with a console that stays, and those in which it comes and goes."""
    windows = []
    with Terminal([sys.executable, "-m", "bench.toggled", str(run)], folder) as console:
        console.until("steps/s")
        time.sleep(SETTLING)
        steady = [window(run, console, LONGER) for _ in range(TURNS)]
        for number in range(2 * pairs + 1):
            console.process.send_signal(ON if number % 2 else OFF)
            time.sleep(REST)
            windows.append(window(run, console, WINDOW))
    return steady, windows


def window(run: Path, console: Terminal, seconds: float) -> Window:
    host = registry.of(run)
    assert host is not None
    pid = console.process.pid
    spent, worked, sent = processor_time(pid), processor_time(host.pid), console.count
    first, began = run_directory.count_rows(run), time.monotonic()
    time.sleep(seconds)
    last, took = run_directory.count_rows(run), time.monotonic() - began
    share, cost = processor_time(pid) - spent, processor_time(host.pid) - worked
    return Window(
        seconds_a_step(run, first, last), cost / (last - first), share / took, (console.count - sent) / took
    )


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
        time.sleep(LONGER)
        return (console.count - before) / LONGER


def _sent_while_paused(folder: Path, run: Path) -> float:
    with Terminal(ours("attach", str(run)), folder) as console:
        console.until("steps/s")
        console.press(" ")
        console.until("paused")
        time.sleep(2)
        before = console.count
        time.sleep(5)
        return float(console.count - before)

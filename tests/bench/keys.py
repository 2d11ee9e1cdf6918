"""From a key on the terminal to the command in force, and to its acknowledgement on the screen."""

import bisect
import os
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyte

from bench.table import Row
from bench.terminal import HEIGHT, WIDTH, Chunk, Terminal, ours
from bench.training import secluded, training
from trainconsole.engine.protocol.events import CommandApplied
from trainconsole.engine.record import run_directory

PRESSED = 120
APPLIED, SHOWN = (5, 35), (10, 50)
"""Goals in milliseconds, of the median and of the 99th percentile."""


def rows() -> Iterator[Row]:
    cores = os.cpu_count() or 1
    with secluded() as folder, training(folder, max(cores - 1, 1)) as run:
        pressed, chunks = press(folder, run)
        events = [event for event in run_directory.read_events(run)[0] if isinstance(event, CommandApplied)]
    applied = [1e3 * (event.time - at) for at, event in zip(pressed, events, strict=True)]
    shown = [
        1e3 * (seen - at) for at, seen in zip(pressed, acknowledged(chunks, pressed, events), strict=True)
    ]
    yield from _told("key to command applied", applied, APPLIED)
    yield from _told("key to acknowledgement on the screen", shown, SHOWN)


def _told(what: str, values: Sequence[float], goals: tuple[float, float]) -> Iterator[Row]:
    for percent, goal in zip((50, 99), goals, strict=True):
        low, value, high = np.percentile(values, (25, percent, 75)).tolist()
        yield Row(f"{what}, p{percent}", f"{len(values)} keys", value, low, high, goal, "below", "ms")


def press(folder: Path, run: Path) -> tuple[list[float], list[Chunk]]:
    """When each key was pressed, at random moments; all that the terminal was sent."""
    chance, pressed = random.Random(0), []
    with Terminal(ours("attach", str(run)), folder) as console:
        console.until("steps/s")
        time.sleep(4)
        for number in range(PRESSED):
            pressed.append(console.press("-" if number % 2 else "+"))
            time.sleep(chance.uniform(0.15, 0.35))
        time.sleep(1)
    return pressed, console.chunks


def acknowledged(
    chunks: Sequence[Chunk], pressed: Sequence[float], events: Sequence[CommandApplied]
) -> Iterator[float]:
    """When the terminal first had the line that says of each command at which step it was applied: what was
    sent is read by an emulator, afterwards."""
    stream, at = pyte.ByteStream(screen := pyte.Screen(WIDTH, HEIGHT)), 0
    times = [chunk.at for chunk in chunks]
    for when, event in zip(pressed, events, strict=True):
        start = bisect.bisect(times, when)
        for chunk in chunks[at:start]:
            stream.feed(known(chunk.data))
        line = f"{event.step:,} ✓"
        for at in range(start, len(chunks)):
            stream.feed(known(chunks[at].data))
            if any(line in text for text in screen.display):
                break
        else:
            raise RuntimeError(f"{line!r} was never shown")
        yield chunks[at].at
        at += 1


def known(data: bytes) -> bytes:
    """Without what the emulator would print."""
    for unknown in (b"\x1b[<u", b"\x1b[>25u", b"\x1b[?2026$p", b"\x1b[?2048$p", b"\x1b]22;default\x07"):
        data = data.replace(unknown, b"")
    return data

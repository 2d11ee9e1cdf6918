"""What clients that talk nonsense and vanish cost a run: steps/s with and without them, in turns.

    python tests/bench/bench_frames.py [--turns 4] [--seconds 30] [--preset digits] [--set KEY=VALUE ...]

In each turn with them, 10,000 malformed frames come over one connection, evenly spread, and 50 clients
connect and vanish, half of them in the middle of a frame. A turn without is as long. One host trains
throughout, on one thread; steps are counted by the rows of its record. In the end a command must still be
answered. On a machine that does other things too, steps per second of the host's processor time (all its
threads) say more than steps per second of the clock, and many short turns more than a few long ones:
--turns 24 --seconds 5.
"""

import argparse
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.hosting import Hosts

from trainconsole.engine.protocol.events import CommandApplied
from trainconsole.engine.record import run_directory
from trainconsole.engine.transport import registry
from trainconsole.engine.transport.client import Client, acknowledgement
from trainconsole.engine.transport.registry import Live

FRAMES = 10_000
VANISHING = 50
SPREAD = 30
"""Seconds over which they come; shorter turns have their share of them."""
TICK = 0.01
NONSENSE = [
    b"hello\n",
    b"{}\n",
    b"\xff\xfe\x00\n",
    b'{"id": 1, "origin": "x", "command": "pause"}\n',
    b"[" * 2000 + b"\n",
    b"\n",
    b'{"id": "a", "command": "stop"}\n',
    b"x" * 5000 + b"\n",
]


def nonsense() -> Iterator[bytes]:
    index = 0
    while True:
        yield NONSENSE[index % len(NONSENSE)]
        index += 1


def pester(sock: Path, seconds: float) -> None:
    """The share of FRAMES and VANISHING that `seconds` have, evenly spread."""
    most, leave = round(FRAMES * seconds / SPREAD), round(VANISHING * seconds / SPREAD)
    frames, sent, left, began = nonsense(), 0, 0, time.monotonic()
    with Client(sock) as steady:
        raw = steady._socket
        while (now := time.monotonic() - began) < seconds or sent < most:
            while sent < min(most, most * now / seconds):
                raw.sendall(next(frames))
                sent += 1
            while left < min(leave, leave * now / seconds):
                vanish(sock, midway=left % 2 == 0)
                left += 1
            steady.receive(0)
            time.sleep(TICK)
    print(f"    {sent:,} frames, {left} vanished", flush=True)


def vanish(sock: Path, *, midway: bool) -> None:
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(sock))
        if midway:
            raw.sendall(b'{"id": "a", "origin": "b", "comm')


@dataclass(frozen=True)
class Speed:
    """Steps a second, by the clock and by the processor time of the host."""

    clock: float
    processor: float


def speed(run: Path, host: Live, seconds: float, *, pestered: bool) -> Speed:
    """Over `seconds`; by the clock from the rows and the training time in them."""
    before, used = len(run_directory.read_rows(run)), processor_time(host.pid)
    if pestered:
        pester(Path(host.socket), seconds)
    else:
        time.sleep(seconds)
    rows, used = run_directory.read_rows(run, before), processor_time(host.pid) - used
    return Speed(float((len(rows) - 1) / (rows["time"][-1] - rows["time"][0])), len(rows) / used)


def processor_time(pid: int) -> float:
    """Seconds, user and system, of all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(folder: Path, turns: int, seconds: float, preset: str, assignments: Sequence[str]) -> None:
    hosts = Hosts(folder)
    try:
        options = [part for text in assignments for part in ("--set", text)]
        process, run = hosts.training(*options, preset=preset, epochs=100_000)
        host = registry.of(run)
        assert host is not None
        time.sleep(5)
        quiet: list[Speed] = []
        loud: list[Speed] = []
        for turn in range(turns):
            # The order changes with each turn, so that a drift of the machine favours neither.
            for pestered in (False, True) if turn % 2 == 0 else (True, False):
                value = speed(run, host, seconds, pestered=pestered)
                (loud if pestered else quiet).append(value)
                print(f"{'with' if pestered else 'without':>8}  {said(value)}", flush=True)
        with Client(Path(host.socket)) as client:
            answer = acknowledgement(run, client.send("stop", "bench"), 60, client)
        assert isinstance(answer, CommandApplied), "the command was not answered"
        assert process.wait(60) == 0
        report(quiet, loud)
    finally:
        hosts.end()


def report(quiet: Sequence[Speed], loud: Sequence[Speed]) -> None:
    for name in ("clock", "processor"):
        pairs = [(getattr(a, name), getattr(b, name)) for a, b in zip(quiet, loud, strict=True)]
        ratios = [b / a for a, b in pairs]
        each = ", ".join(f"{ratio:.4f}" for ratio in ratios)
        print(f"ratio by the {name} {statistics.median(ratios):.4f}   (each turn: {each})")


def said(value: Speed) -> str:
    return f"{value.clock:8.1f} steps/s  {value.processor:8.1f} steps per second of processor time"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--preset", default="digits")
    parser.add_argument("--set", dest="assignments", action="append", default=[])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), given.turns, given.seconds, given.preset, given.assignments)


if __name__ == "__main__":
    main()

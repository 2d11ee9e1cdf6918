"""How soon the console is there: its first frame beside `import torch`."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.table import Row, row
from bench.terminal import Terminal, environment, ours
from bench.training import kill_hosts, secluded

TURNS = 7
TORCH = [sys.executable, "-c", "import torch"]


def rows() -> Iterator[Row]:
    """The first turn fills the caches, the compiled modules' too, and does not count."""
    run, picker, alone = [], [], []
    with secluded() as folder:
        for turn in range(TURNS + 1):
            torch = seconds(TORCH)
            started = first(ours("--preset", "digits"), "starting", folder)
            picked = first(ours(), "classification", folder)
            if turn:
                run.append(started / torch)
                picker.append(picked / torch)
                alone.append(started)
    goal = 0.3
    yield row("first frame of a run that is started", "python -c 'import torch'", run, goal, better="below")
    yield row("first frame of the picker", "python -c 'import torch'", picker, goal, better="below")
    yield row("first frame of a run that is started", "", alone, unit="s")


def first(argv: list[str], text: str, folder: Path) -> float:
    """Seconds from launch until `text` is on the terminal."""
    with Terminal(argv, folder) as console:
        took = console.until(text) - console.began
    kill_hosts()
    return took


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=environment(), check=True)
    return time.perf_counter() - began

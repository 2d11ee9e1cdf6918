"""How long `trainconsole --help` takes to answer."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from bench.table import Row, row

TURNS = 25


def rows() -> Iterator[Row]:
    command = os.path.join(os.path.dirname(sys.executable), "trainconsole")
    ours: Sequence[str] = [command, "--help"]
    if not os.path.exists(command):
        ours = [sys.executable, "-m", "trainconsole.tui", "--help"]
    click = [sys.executable, "-c", "import click"]
    later = []
    for turn in range(TURNS + 1):
        more = seconds(ours) - seconds(click)
        if turn:
            later.append(more)
    yield row(
        "trainconsole --help: later by", "python -c 'import click'", later, 0.15, better="below", unit="s"
    )


def seconds(command: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began

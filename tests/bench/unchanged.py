"""What watching a script costs that calls nothing of ours: the same one plain and below `trainconsole run`.

They are processes that stand still between their windows, and take turns in both orders; several sets of
them, as no two processes are equally fast.
"""

import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from bench.table import Row, row
from bench.training import secluded

SCRIPT = Path(__file__).with_name("unchanged_loop.py")
PLAIN = [sys.executable, str(SCRIPT)]
RUN = [sys.executable, "-m", "trainconsole.tui", "run", "--no-ui", "--"]
COMMANDS = {"watched": [*RUN, *PLAIN], "plain": PLAIN, "twin": PLAIN}
REPEATS, TURNS, STEPS = 3, 60, 200


class Window(NamedTuple):
    """Seconds a step, and of the processor's."""

    wall: float
    cost: float


class Loop:
    """A process that trains when it is told to."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self._process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, steps: int) -> Window:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{steps}\n")
        process.stdin.flush()
        wall, cost = map(float, process.stdout.readline().split())
        return Window(wall / steps, cost / steps)

    def __enter__(self) -> "Loop":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()


def rows() -> Iterator[Row]:
    windows: dict[str, list[Window]] = {name: [] for name in COMMANDS}
    for _ in range(REPEATS):
        for name, found in _taken().items():
            windows[name] += found
    what = "MLP 784-128-10, batch 64, an unchanged script that is watched: steps/s"
    yield row(what, "the same script plain", _ratios(windows, "watched", 0), 0.98)
    yield row("the same, by its processor time", "the same script plain", _ratios(windows, "watched", 1))
    yield row("the same script plain", "another process of it", _ratios(windows, "twin", 0))
    step = 1e6 * statistics.median(window.wall for window in windows["plain"])
    yield Row("one step of it, plain", "", step, step, step, unit="us")


def _taken() -> dict[str, list[Window]]:
    """Of one set of processes; the order of turns is reversed every time."""
    windows: dict[str, list[Window]] = {name: [] for name in COMMANDS}
    with secluded() as folder, ExitStack() as stack:
        loops = {name: stack.enter_context(Loop(command, folder)) for name, command in COMMANDS.items()}
        for loop in loops.values():
            loop.run(STEPS)
        for turn in range(TURNS):
            for name in list(loops)[:: 1 if turn % 2 else -1]:
                windows[name].append(loops[name].run(STEPS))
    return windows


def _ratios(windows: dict[str, list[Window]], ours: str, field: int) -> list[float]:
    return [b[field] / a[field] for a, b in zip(windows[ours], windows["plain"], strict=True)]

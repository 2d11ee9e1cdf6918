"""A record of 10 million steps, 400 MB, made up: read and drawn in full, drawn again, zoomed into."""

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from bench.memory import resident
from bench.table import Row, row
from trainconsole.engine.protocol.status import Status
from trainconsole.engine.record.metric_rows import ROW, Rows
from trainconsole.tui.plotting.axes import Limits
from trainconsole.tui.plotting.curve_image import pictured
from trainconsole.tui.plotting.view import View
from trainconsole.tui.state.feed import Feed
from trainconsole.tui.state.run_model import Sight

STEPS, PLANNED = 10_000_000, 12_500_000
FEW = 1_000_000
FLAT = 32.0
"""MB: of the 360 that ten times as many steps bring, less than a tenth may be anything but arrays. Half of
what is measured is memory that the allocator keeps for the next time."""
BLOCK = 1_000_000
TURNS = 5
FRAMES = 60
ARRAYS = 8 + 8 + 4 * 4 + 4 * 24 / 31
"""Bytes a step: the columns that the console keeps, and the sums above four of them."""
NEW = 500
"""Rows between two frames."""
Sizes = dict[str, tuple[int, int]]
SIZES: Sizes = {
    "loss": (82, 15),
    "metric": (82, 15),
    "lr": (41, 7),
    "grad_norm": (41, 7),
}
"""The curves of a terminal of 120 by 40."""
ENLARGED: Sizes = {"loss": (120, 34)}
Kept = dict[str, Limits]


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        few, many = Path(folder, "few"), Path(folder, "many")
        written(few, FEW)
        written(many, STEPS)
        opened(many)
        beyond = {steps: more(run, steps)[0] for run, steps in ((few, FEW), (many, STEPS))}
        took: list[float] = []
        for _ in range(TURNS):
            # The one before must go first: two of them would be measured.
            sight: Sight | None = None
            seconds, sight = opened(many)
            took.append(seconds)
        yield row("10 M steps: attach to first full curves", "", took, 1, better="below", unit="s")
        assert sight is not None
        yield from drawn(sight)
    grown = beyond[STEPS] - beyond[FEW]
    what, against = "10 M steps: the console's memory, arrays left out", "at 1 M steps"
    yield Row(what, against, grown, grown, grown, FLAT, "below", "MB")


def more(run: Path, steps: int) -> tuple[float, Sight]:
    """MB that an opened run takes beyond its arrays; and the run, which is there meanwhile."""
    before = resident(os.getpid())
    _, sight = opened(run)
    return resident(os.getpid()) - before - ARRAYS * steps / 2**20, sight


def opened(run: Path) -> tuple[float, Sight]:
    """Seconds from nothing read to the first picture of every curve."""
    began = time.perf_counter()
    sight = Sight(run)
    sight.take(status=Status(pid=0, run="bench", steps=PLANNED, epochs=100))
    sight.read(Feed(run))
    _picture(sight, View(), {})
    return time.perf_counter() - began, sight


def drawn(sight: Sight) -> Iterator[Row]:
    """What one frame costs while the run goes on, and one that shows another window."""
    more = made(STEPS, NEW * FRAMES)
    limits: Kept = {}
    frames = [_timed(partial(_grow, sight, more[at : at + NEW], limits)) for at in range(0, len(more), NEW)]
    yield row("10 M steps: redraw", "500 new rows", frames, 5, better="below", unit="ms")
    yield row("10 M steps: zoom", "four curves", zoomed(sight, SIZES), 5, better="below", unit="ms")
    yield row("10 M steps: zoom", "one, enlarged", zoomed(sight, ENLARGED), 5, better="below", unit="ms")


def zoomed(sight: Sight, sizes: Sizes) -> list[float]:
    """Milliseconds for each window, none of them seen before."""
    chance, took = random.Random(0), []
    reach = sight.scene().reach("step")
    for frame in range(FRAMES):
        view = View()
        for _ in range(1 + frame % 19):
            view = view.zoomed(0.5, reach).panned(chance.uniform(-0.5, 0.5), reach)
        took.append(_timed(partial(_picture, sight, view, {}, sizes)))
    return took


def _grow(sight: Sight, rows: Rows, limits: Kept) -> None:
    sight.take(rows=rows)
    _picture(sight, View(), limits)


def _picture(sight: Sight, view: View, limits: Kept, sizes: Sizes = SIZES) -> None:
    """Every curve, with the limits of the picture before, which `limits` keeps."""
    scene = sight.scene()
    for quantity, size in sizes.items():
        limits[quantity] = pictured(scene, view, quantity, size, previous=limits.get(quantity)).limits


def _timed(work: Callable[[], None]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - began)


def written(run: Path, steps: int) -> None:
    run.mkdir()
    with open(run / "metrics.bin", "wb") as file:
        for start in range(0, steps, BLOCK):
            file.write(made(start, BLOCK).tobytes())


def made(start: int, count: int) -> Rows:
    """Rows `start` + 1 to `start` + `count` of a noisy run."""
    noise, rows = np.random.default_rng(start), np.zeros(count, ROW)
    step = np.arange(start + 1, start + count + 1)
    rows["step"], rows["epoch"], rows["time"] = step, step // 100_000 + 1, step * 5e-4
    rows["loss"] = 2 * np.exp(-step / (STEPS / 5)) + noise.gamma(2, 0.05, count)
    rows["metric"] = np.clip(1 - np.exp(-step / (STEPS / 5)) + noise.normal(0, 0.03, count), 0, 1)
    rows["lr"], rows["grad_norm"] = 1e-3 * (1 - step / (2 * STEPS)), noise.gamma(3, 0.2, count)
    return rows

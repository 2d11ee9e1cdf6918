"""A console at a fixed 4 frames/s that sends only what changed of its curves, or all of them at each frame.

python -m bench.repainting RUN changed|whole
"""

import sys
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path
from typing import Any

from trainconsole.tui.app import ConsoleApp
from trainconsole.tui.run_screen import frame_pacing
from trainconsole.tui.run_screen import screen as run_screen
from trainconsole.tui.run_screen.screen import RunScreen
from trainconsole.tui.widgets.curve import Tile


class Steady(frame_pacing.Governor):
    """Never slower, however busy the machine is: both kinds have the same rate."""

    def frame(self, clock: float, spent: float) -> float:
        return self.interval


def main(run: str, kind: str) -> None:
    patched: Any = run_screen
    patched.Governor = Steady
    if kind == "whole":
        patched.RunScreen.draw = partialmethod(_drawn_whole, RunScreen.draw)
    ConsoleApp(runs_dir=Path("runs"), reopen=_never, path=Path(run)).run(mouse=False)


def _drawn_whole(screen: RunScreen, draw: Callable[[RunScreen], None]) -> None:
    """As widgets do that call `refresh()` when they have something new to show."""
    draw(screen)
    for tile in screen.query(Tile):
        tile.refresh()


def _never(path: Path) -> Any:
    raise NotImplementedError


if __name__ == "__main__":
    main(*sys.argv[1:])

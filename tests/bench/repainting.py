"""A console at a fixed 4 frames/s that sends only what changed of its curves, or all of them at each frame.

python -m bench.repainting RUN changed|whole
"""

import sys
from pathlib import Path
from typing import Any

from trainconsole.tui import governor
from trainconsole.tui.app import ConsoleApp
from trainconsole.tui.screens.run import RunScreen
from trainconsole.tui.widgets.curve import Tile


class Steady(governor.Governor):
    """Never slower, however busy the machine is: both kinds have the same rate."""

    def frame(self, clock: float, spent: float) -> float:
        return self.interval


class Repainted(RunScreen):
    """As widgets do that call `refresh()` when they have something new to show."""

    def draw(self) -> None:
        super().draw()
        for tile in self.query(Tile):
            tile.refresh()


def main(run: str, kind: str) -> None:
    import trainconsole.tui.screens.run as screens

    changed: Any = screens
    changed.Governor = Steady
    if kind == "whole":
        changed.RunScreen = Repainted
    ConsoleApp(runs_dir=Path("runs"), reopen=_never, path=Path(run)).run(mouse=False)


def _never(path: Path) -> Any:
    raise NotImplementedError


if __name__ == "__main__":
    main(*sys.argv[1:])

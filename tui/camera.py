"""A picture of the console on a run, as an SVG: drawn without a terminal, from the record alone."""

import asyncio
from pathlib import Path
from typing import Any

from textual.screen import Screen

from trainconsole.engine.errors import UserError
from trainconsole.engine.record import replace_file
from trainconsole.tui.feed import Feed
from trainconsole.tui.screens.run import RunScreen
from trainconsole.tui.sight import Sight
from trainconsole.tui.styled import StyledApp

SMALLEST, LARGEST = (20, 5), (400, 200)


class Studio(StyledApp[None]):
    """Shows one screen, for no eyes but a camera's."""

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self._shown = screen

    def on_mount(self) -> None:
        super().on_mount()
        self.push_screen(self._shown)


def to_svg(run: Path, file: Path, size: tuple[int, int]) -> None:
    """Write what the console shows of `run` on a terminal of `size` (columns, lines). Raises UserError."""
    if not all(low <= value <= high for low, value, high in zip(SMALLEST, size, LARGEST, strict=True)):
        raise UserError(f"--size: from {SMALLEST[0]}x{SMALLEST[1]} to {LARGEST[0]}x{LARGEST[1]}")
    sight = Sight(run)
    sight.read(Feed(run))
    sight.settle()
    try:
        replace_file(file, asyncio.run(_drawn(RunScreen(sight), size)).encode())
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}") from None


async def _drawn(screen: RunScreen, size: tuple[int, int]) -> str:
    app = Studio(screen)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        return app.export_screenshot(title="trainconsole")

"""One screen of the console, alone on a stage: pressed, looked at, and what it was dismissed with."""

from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

from support.piloting import Steps, pilot
from trainconsole.tui.base_app import THEME

__all__ = ["OPEN", "Stage", "Steps", "lines", "presses", "stage", "wait"]

OPEN = object()
"""The result of a screen that was not dismissed."""


class Stage(App[None]):
    """Shows `made`, and keeps what it was dismissed with in `result`."""

    def __init__(self, made: Screen[Any]) -> None:
        super().__init__()
        self.animation_level = "none"
        self.result: Any = OPEN
        self._made = made

    def on_mount(self) -> None:
        self.register_theme(THEME)
        self.theme = THEME.name
        self.push_screen(self._made, self._dismissed)

    def _dismissed(self, result: Any) -> None:
        self.result = result


def stage(screen: Screen[Any], steps: Steps, size: tuple[int, int] = (80, 24)) -> Any:
    """Do `steps` with `screen`; returns what it was dismissed with, OPEN if it was not."""
    app = Stage(screen)

    async def play(driver: Pilot[Any]) -> None:
        await steps(driver)
        await driver.pause()

    pilot(app, size, play)
    return app.result


def presses(*keys: str) -> Steps:
    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press(*keys)

    return steps


async def wait(pilot: Pilot[None], look: Callable[[], Any]) -> None:
    """Until `look` is true, or the test's own time is over."""
    while not look():
        await pilot.pause(0.02)


def lines(app: App[Any]) -> list[str]:
    """The text of the terminal, line by line."""
    width, height = app.size
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip)[:width] for strip in strips][:height]

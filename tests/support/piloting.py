"""Driving a Textual app without a terminal, and dialogs over a screen that goes on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from textual import events
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Static

from trainconsole.tui.base_app import StyledApp
from trainconsole.tui.key_queue import KeysInTurn

Size = tuple[int, int]
Steps = Callable[[Pilot[Any]], Awaitable[None]]


def pilot(app: App[Any], size: Size, steps: Steps) -> None:
    """Run `app` at `size` (columns, rows) until `steps` is over; what fails in there fails the test."""

    async def driven() -> None:
        async with app.run_test(size=size) as driver:
            await driver.pause()
            await steps(driver)

    asyncio.run(driven())


class Over(StyledApp[None]):
    """A dialog over a filled screen; `results` is what it was dismissed with."""

    def __init__(self, dialog: ModalScreen[Any]) -> None:
        super().__init__()
        self.dialog = dialog
        self.results: list[Any] = []

    def compose(self) -> ComposeResult:
        yield Static("curve " * 2000)

    def on_mount(self) -> None:
        self.push_screen(self.dialog, self.results.append)


def tried(dialog: ModalScreen[Any], keys: Sequence[str], size: Size = (120, 40)) -> tuple[list[Any], str]:
    """What `dialog` is dismissed with after `keys`, [] while it is open, and what is then to be seen."""
    app, shown = Over(dialog), []

    async def steps(driver: Pilot[None]) -> None:
        await driver.press(*keys)
        await driver.pause()
        shown.append(screen_text(app))

    pilot(app, size, steps)
    return app.results, shown[0]


def pressed(dialog: ModalScreen[Any], keys: Sequence[str], size: Size = (120, 40)) -> list[Any]:
    """What `dialog` is dismissed with after `keys`, [] where it is still open."""
    return tried(dialog, keys, size)[0]


def seen(dialog: ModalScreen[Any], keys: Sequence[str] = (), size: Size = (120, 40)) -> str:
    """The text of the screen after `keys`, a line each row."""
    return tried(dialog, keys, size)[1]


async def burst(driver: Pilot[Any], keys: Sequence[str]) -> None:
    """Keys that a terminal sends in one write; waits until they have been handled."""
    for key in keys:
        character = {"enter": "\r", "escape": "\x1b", "space": " "}.get(key, key)
        driver.app.post_message(events.Key(key, character if len(character) == 1 else None))
    handling = driver.app
    assert isinstance(handling, KeysInTurn)
    await driver.pause()
    for _ in range(500):
        if not handling.handles_keys:
            break
        await driver.pause(0.01)
    else:
        raise AssertionError(f"these keys have no end: {keys}")
    await driver.pause()


def screen_text(app: App[Any]) -> str:
    """What `app` shows now, as plain text."""
    width, height = app.size
    compositor = app.screen._compositor
    strips = compositor.render_strips(app.size)
    return "\n".join(strip.crop(0, width).text for strip in strips[:height])

from typing import Any, ClassVar

import pytest
from support.piloting import pilot
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

from trainconsole.tui.keys import ASKED, KEYS, MOVES
from trainconsole.tui.run_screen.palette import RunCommands, entries

Acted = list[tuple[str, ...]]


class Looking(Static):
    """The curves, which write down what they are asked for."""

    def __init__(self, acted: Acted) -> None:
        super().__init__("curves", id="curves")
        self.acted = acted

    def action_pan(self, by: float) -> None:
        self.acted.append(("pan", str(by)))

    def action_zoom(self, by: float) -> None:
        self.acted.append(("zoom", str(by)))


class Steering(Screen[None]):
    """A run's screen that writes down what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.acted: Acted = []

    def compose(self) -> ComposeResult:
        yield Looking(self.acted)

    def action_send(self, command: str) -> None:
        self.acted.append(("send", command))

    def ask(self, start: str, title: str) -> None:
        self.acted.append(("ask", start, title))


def _acting(name: str) -> Any:
    def action(self: Any) -> None:
        self.acted.append((name,))

    return action


for _key in KEYS:
    if _key.action:
        setattr(Looking if _key.group == "look" else Steering, f"action_{_key.action}", _acting(_key.action))


class Console(App[None]):
    COMMANDS: ClassVar[Any] = {RunCommands}

    def __init__(self, screen: Screen[None]) -> None:
        super().__init__()
        self.first = screen

    def on_mount(self) -> None:
        self.push_screen(self.first)


def chosen(typed: str) -> Acted:
    """What comes of the first line of the palette for `typed`."""
    screen = Steering()

    async def steps(driver: Pilot[None]) -> None:
        await driver.press("ctrl+p")
        await driver.pause()
        await driver.press(*typed)
        await driver.pause(0.3)
        await driver.press("enter")
        await driver.pause()
        await driver.press("enter")
        await driver.pause()

    pilot(Console(screen), (80, 24), steps)
    return screen.acted


@pytest.mark.parametrize(
    ("typed", "acted"),
    [
        ("batch", ("ask", "batch ", "batch size")),
        ("named", ("ask", "checkpoint ", "named checkpoint")),
        ("double", ("send", "lr x2")),
        ("last checkpoint", ("send", "rewind last")),
        ("schedule", ("schedule",)),
        ("inspect", ("inspect",)),
    ],
)
def test_what_is_searched_is_found_and_done(typed, acted):
    assert chosen(typed) == [acted]


def test_every_key_and_what_has_none_is_offered_and_does_its_thing():
    screen = Steering()

    async def steps(driver: Pilot[None]) -> None:
        for entry in entries(screen):
            done = entry.run()
            if done is not None:
                await done

    pilot(Console(screen), (80, 24), steps)
    expected = [
        ("send", key.command) if key.command else (key.action,) for key in KEYS if key.bound != "send('')"
    ]
    assert [act for act in screen.acted if act in expected] == expected
    moves = [act for act in screen.acted if act[0] in ("pan", "zoom")]
    assert len(moves) == len(MOVES)
    asked = [("send", a.start) if a.complete else ("ask", a.start, a.name) for a in ASKED]
    assert screen.acted[-len(ASKED) :] == asked


def test_a_screen_that_steers_no_run_has_nothing_to_offer():
    assert list(entries(Screen())) == []

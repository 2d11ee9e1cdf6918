"""Keys that arrive in one burst do what they do one by one: no dialog is left twice, nothing else is left."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import run_models as sights
from support.emulator import Emulator
from support.piloting import Over, burst, pilot
from support.process import trainconsole
from support.run_files import FINISHED, INTERRUPTED
from support.statuses import status
from textual.pilot import Pilot
from textual.screen import ModalScreen, Screen

from trainconsole.engine.transport.registry import Live
from trainconsole.tui.base_app import StyledApp
from trainconsole.tui.dialogs.catalog import (
    FinishedScreen,
    HelpScreen,
    LeaveScreen,
    OptimizerScreen,
    PromptScreen,
    RegulariseScreen,
    ScheduleScreen,
    StopScreen,
)
from trainconsole.tui.picker.already_training import BesideScreen
from trainconsole.tui.run_screen.connection import Connection
from trainconsole.tui.run_screen.screen import RunScreen
from trainconsole.tui.run_screen.screen_result import Left
from trainconsole.tui.text.run_outcome import Outcome

LIVE = Live(run="/runs/other", pid=1, began="1", hostname="h", socket="/s", since=0.0)
DIALOGS: dict[str, Callable[[], ModalScreen[Any]]] = {
    "beside": lambda: BesideScreen("digits", [LIVE]),
    "finished": lambda: FinishedScreen(Outcome(Path("/runs/a"), FINISHED)),
    "interrupted": lambda: FinishedScreen(Outcome(Path("/runs/a"), INTERRUPTED)),
    "help": HelpScreen,
    "leave": lambda: LeaveScreen(status()),
    "optimizer": lambda: OptimizerScreen(status()),
    "prompt": lambda: PromptScreen("learning rate", "lr ", status=status()),
    "regularise": lambda: RegulariseScreen(status()),
    "schedule": lambda: ScheduleScreen(status()),
    "stop": lambda: StopScreen(status()),
}
KEYS = ["enter", "escape", "down", "up", "tab", "backspace", "space", *"qdsbler1?."]
PAIRS = [("enter", "enter"), ("q", "q"), ("escape", "enter"), ("s", "enter"), ("b", "l"), ("r", "r")]


class OneByOne(Over):
    """There is something below what is below the dialog: it stays."""

    def on_mount(self) -> None:
        # Textual calls that of Over after this one.
        self.push_screen(Screen(id="below"))


def dismissed(dialog: ModalScreen[Any], keys: Sequence[str], *, at_once: bool) -> tuple[list[Any], int]:
    """What the dialog was dismissed with, and how many screens are left."""
    app, depth = OneByOne(dialog), []

    async def steps(driver: Pilot[None]) -> None:
        if at_once:
            await burst(driver, keys)
        else:
            for key in keys:
                await burst(driver, [key])
        depth.append(len(app.screen_stack))

    pilot(app, (120, 40), steps)
    return app.results, depth[0]


@pytest.mark.parametrize("name", DIALOGS)
def test_two_keys_leave_a_dialog_once(name: str) -> None:
    """All pairs in one app for each dialog: opened again and again."""
    app = OneByOne(DIALOGS[name]())

    async def steps(driver: Pilot[None]) -> None:
        await burst(driver, ["escape"] * 2)
        assert len(app.results) == 1
        for pair in PAIRS:
            app.results.clear()
            app.push_screen(DIALOGS[name](), app.results.append)
            await driver.pause()
            await burst(driver, pair)
            assert len(app.results) <= 1, pair
            while len(app.screen_stack) > 2:
                await burst(driver, ["escape"])
            assert [screen.id for screen in app.screen_stack][1:] == ["below"], pair

    pilot(app, (120, 40), steps)


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(sorted(DIALOGS)), st.lists(st.sampled_from(KEYS), min_size=2, max_size=6))
def test_a_burst_does_what_its_keys_do_one_by_one(name: str, keys: list[str]) -> None:
    at_once = dismissed(DIALOGS[name](), keys, at_once=True)
    assert at_once == dismissed(DIALOGS[name](), keys, at_once=False)
    assert len(at_once[0]) <= 1
    assert at_once[1] >= 2


class Deaf:
    """A feed whose host takes commands and says nothing."""

    live, awaited, failed, status = False, True, "", None

    def __init__(self) -> None:
        self.sent: list[str] = []

    def connect(self) -> bool:
        return False

    def fileno(self) -> int:
        return -1

    def close(self) -> None: ...

    def send(self, command: str) -> str:
        self.sent.append(command)
        return str(len(self.sent))


class Steered(StyledApp[Left]):
    """A run that goes on, over a screen that stays; `lefts` is how it was left."""

    def __init__(self) -> None:
        super().__init__()
        self.feed, self.lefts = Deaf(), []

    def on_mount(self) -> None:
        self.push_screen(Screen(id="below"))
        screen = RunScreen(sights.made(400))
        self.push_screen(screen, self.lefts.append)
        screen.connection = Connection(self.feed, screen.sight, screen)  # type: ignore[arg-type]
        screen.connection.read = lambda: True  # type: ignore[method-assign]


def steered(keys: Sequence[str], *, at_once: bool) -> tuple[list[str], list[Left], list[str]]:
    """Commands sent, how the run was left, which screens are up."""
    app, up = Steered(), []

    async def steps(driver: Pilot[None]) -> None:
        for part in [keys] if at_once else [[key] for key in keys]:
            await burst(driver, part)
        up.extend(type(screen).__name__ for screen in app.screen_stack)

    pilot(app, (120, 40), steps)
    return app.feed.sent, app.lefts, up


@pytest.mark.parametrize(
    ("keys", "sent"),
    [
        ("qs", ["stop"]),
        (["q", "s", "enter"], ["stop"]),
        (["e", "enter", "enter"], ["stop best"]),
        (["q", "down", "enter", "enter"], ["stop"]),
        ("ebb", ["stop best", "rewind best"]),
        (["l", *"0.1", "enter", "enter"], ["lr 0.1"]),
        (["l", *"0.15", "backspace", "enter", "enter"], ["lr 0.1"]),
        (["escape", "escape"], []),
        (["q", "escape", "escape"], []),
    ],
    ids=str,
)
def test_what_a_burst_asks_for_is_sent_and_the_run_stays_on_the_screen(keys, sent) -> None:
    assert steered(keys, at_once=True) == (sent, [], ["Screen", "Screen", "RunScreen"])


def test_a_second_q_does_not_leave() -> None:
    assert steered("qq", at_once=True) == ([], [], ["Screen", "Screen", "RunScreen", "LeaveScreen"])


@settings(max_examples=8, deadline=None)
@given(st.lists(st.sampled_from([*KEYS, "o", "w", "h"]), min_size=2, max_size=5))
def test_keys_over_a_run_do_what_they_do_one_by_one(keys: list[str]) -> None:
    assert steered(keys, at_once=True) == steered(keys, at_once=False)


def test_on_a_terminal_two_keys_in_one_write(tmp_path: Path) -> None:
    options = ["--preset", "digits", "--threads", "1", "--set", "epochs=2000"]
    with Emulator(*options, cwd=tmp_path) as console:
        console.until("● training")
        console.press("o")
        console.until("enter confirm")
        console.press("\r\r")
        console.until(lambda text: "enter confirm" not in text and "✓ optimizer" in text)
        assert "● training" in console.text
        console.press("qs\r")
        console.until(lambda text: "stopped at step" in text)
        assert console.end() == 0
    assert b"Traceback" not in console.sent
    assert "stopped" in trainconsole("runs", cwd=tmp_path).out


def test_a_screen_is_left_once_and_only_while_it_is_on_top() -> None:
    app = OneByOne(DIALOGS["stop"]())

    async def steps(driver: Pilot[None]) -> None:
        app.push_screen(Screen(id="above"))
        app.dialog.dismiss(("stop best",))
        assert (app.results, app.screen.id) == ([], "above")
        app.pop_screen()
        app.dialog.dismiss(("stop best",))
        app.dialog.dismiss(("stop last",))
        await driver.pause()
        assert (app.results, app.screen.id) == ([("stop best",)], "below")

    pilot(app, (80, 24), steps)

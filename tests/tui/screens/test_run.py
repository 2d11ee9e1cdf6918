"""The run screen, driven by keys: what goes out, what is shown. Runs are made by hand, no host trains."""

from typing import Any

import pytest
import sights
from msgspec.structs import replace
from staging import Steps
from staging import stage as staged
from textual.pilot import Pilot
from textual.screen import Screen
from wire import Wire

from trainconsole.engine.messages import CommandApplied, CommandRejected, Status
from trainconsole.tui import keys
from trainconsole.tui.keys import KEYS
from trainconsole.tui.left import Left
from trainconsole.tui.screens.finished import FinishedScreen
from trainconsole.tui.screens.help import HelpScreen
from trainconsole.tui.screens.leave import LeaveScreen
from trainconsole.tui.screens.run import RunScreen
from trainconsole.tui.sight import Sight
from trainconsole.tui.widgets.curves import Curves
from trainconsole.tui.widgets.lines import Lines

BIG, SMALL = (120, 40), (80, 24)
NAMES = {"plus": "+"}


class Stage:
    """A run at step 900, its screen, and the wire to nobody."""

    def __init__(self, sight: Sight | None = None) -> None:
        self.wire = Wire(sights.RUN)
        self.screen = RunScreen(sight or sights.made(900), self.wire)

    def play(self, steps: Steps, size: tuple[int, int] = BIG) -> object:
        """What the screen was left with."""
        return staged(self.screen, steps, size)

    @property
    def top(self) -> Screen[Any]:
        """The screen that has the keys."""
        top: Screen[Any] = self.screen.app.screen
        return top

    def text(self, name: str) -> str:
        return "\n".join(line.plain for line in self.screen.query_one(f"#{name}", Lines).texts)


@pytest.mark.parametrize(
    ("name", "command"),
    [(name, key.command) for key in KEYS if key.command for name in key.keys.split(",")],
)
def test_a_key_sends_exactly_its_command(name: str, command: str) -> None:
    stage = Stage()

    async def steps(p: Pilot[None]) -> None:
        await p.press(name)
        assert stage.wire.sent == [command]
        assert f"… {command}" in stage.text("timeline")

    stage.play(steps)


def test_space_pauses_and_resumes() -> None:
    stage = Stage()

    async def steps(p: Pilot[None]) -> None:
        await p.press("space")
        stage.wire.hand(sights.status(900, "paused"))
        await p.pause()
        await p.press("space")
        assert stage.wire.sent == ["pause", "resume"]

    stage.play(steps)


def test_an_answer_takes_the_place_of_the_request() -> None:
    stage = Stage()

    async def steps(p: Pilot[None]) -> None:
        await p.press("plus", "asterisk")
        assert "… lr x2" in stage.text("timeline")
        stage.wire.hand(
            replace(sights.status(901), last_seq=7),
            [
                CommandApplied(
                    step=901,
                    branch=0,
                    command="lr x2",
                    id="id1",
                    origin="console",
                    before={"lr": 1e-3},
                    after={"lr": 2e-3},
                ),
                CommandRejected(
                    step=901, branch=0, command="lr x10", id="id2", origin="console", reason="too much"
                ),
            ],
        )
        await p.pause(0.1)
        shown = stage.text("timeline")
        assert "… " not in shown
        assert "901 ✓ lr x2 → 2e-3" in shown
        assert "901 ✗ lr x10" in shown
        assert "too much" in shown

    stage.play(steps)


def test_at_80x24_an_answer_is_seen_too() -> None:
    stage = Stage()

    async def steps(p: Pilot[None]) -> None:
        await p.press("u")
        assert "… undo" in stage.text("brief")

    stage.play(steps, SMALL)


def test_what_was_not_sent_is_not_claimed() -> None:
    stage = Stage()
    stage.wire.refuses = "the host has left"

    async def steps(p: Pilot[None]) -> None:
        await p.press("u")
        assert "✗ undo" in stage.text("timeline")
        assert "the host has left" in stage.text("timeline")

    stage.play(steps)


@pytest.mark.parametrize(
    ("key", "typed", "sent"),
    [
        ("l", ["0", "full_stop", "0", "2", "enter"], ["lr 0.02"]),
        ("l", ["x", "3", "enter"], ["lr x3"]),
        ("l", ["a", "enter"], []),
        ("l", ["escape"], []),
        ("e", ["b"], ["stop best"]),
        ("e", ["l"], ["stop last"]),
        ("e", ["escape"], []),
        ("s", ["escape"], []),
        ("o", ["escape"], []),
        ("w", ["escape"], []),
    ],
)
def test_a_dialog_sends_what_was_confirmed(key: str, typed: list[str], sent: list[str]) -> None:
    stage = Stage()

    async def steps(p: Pilot[None]) -> None:
        await p.press(key)
        await p.pause()
        await p.press(*typed)
        await p.pause()
        assert stage.wire.sent == sent

    stage.play(steps)


@pytest.mark.parametrize("key", ["s", "o", "w", "e", "l", "question_mark", "q"])
@pytest.mark.parametrize("size", [BIG, SMALL, (20, 5)])
def test_no_dialog_stops_the_curves(key: str, size: tuple[int, int]) -> None:
    stage = Stage()

    async def steps(p: Pilot[None]) -> None:
        await p.press(key)
        await p.pause()
        assert stage.top is not stage.screen
        before = stage.text("header")
        stage.wire.hand(
            replace(sights.status(1400), last_seq=9), sights.events(1400)[-1:], sights.rows(1400, start=900)
        )
        await p.pause(0.4)
        assert stage.top is not stage.screen
        assert int(stage.screen.sight.track.last["step"]) == 1400  # type: ignore[index]
        assert stage.text("header") != before or size[0] < 40

    stage.play(steps, size)


def test_help_lists_every_key() -> None:
    stage = Stage()

    async def steps(p: Pilot[None]) -> None:
        await p.press("question_mark")
        await p.pause()
        assert isinstance(stage.top, HelpScreen)
        await p.press("escape")
        assert stage.top is stage.screen

    stage.play(steps)


def test_quitting_offers_to_leave_it_training() -> None:
    stage = Stage()

    async def steps(p: Pilot[None]) -> None:
        await p.press("q")
        await p.pause()
        assert isinstance(stage.top, LeaveScreen)
        await p.press("escape", "q")
        await p.pause()
        await p.press("s")
        await p.pause()
        assert stage.wire.sent == ["stop"]

    stage.play(steps)


def test_the_end_says_what_came_of_it() -> None:
    stage = Stage(sights.made(2000))

    async def steps(p: Pilot[None]) -> None:
        stage.wire.hand(replace(sights.status(2000), last_seq=99), [sights.finished()])
        await p.pause(0.1)
        assert isinstance(stage.top, FinishedScreen)
        await p.press("escape", "plus")
        assert stage.wire.sent == []
        assert "the run is over" in stage.text("timeline")

    stage.play(steps)


def test_a_host_that_dies_is_missed() -> None:
    stage = Stage()

    async def steps(p: Pilot[None]) -> None:
        await p.press("u")
        stage.wire.hang_up()
        await p.pause(0.1)
        assert isinstance(stage.top, FinishedScreen)
        assert "host is gone" in stage.text("header")
        assert "✗ undo" in stage.text("timeline")

    stage.play(steps)


def test_a_paused_run_draws_nothing() -> None:
    stage = Stage()

    async def steps(p: Pilot[None]) -> None:
        stage.wire.hand(sights.status(900, "paused"))
        await p.pause(0.5)
        drawn = stage.screen.frames
        await p.pause(1.0)
        assert stage.screen.frames == drawn

    stage.play(steps)


@pytest.mark.parametrize("size", [(20, 5), (24, 9), (40, 12), (60, 16), (80, 24), (99, 50), (200, 60)])
@pytest.mark.parametrize(
    "sight",
    [sights.loading, sights.with_nan, sights.forked, lambda: sights.made(0)],
    ids=["loading", "nan", "forked", "empty"],
)
def test_any_size_at_any_moment(size: tuple[int, int], sight: object) -> None:
    stage = Stage(sight())  # type: ignore[operator]

    async def steps(p: Pilot[None]) -> None:
        await p.press("z", "tab", "i", "left", "up", "up", "y", "x", "m", "end", "home", "z", "i")
        for other in ((20, 5), (120, 40), size):
            await p.resize_terminal(*other)
            await p.pause()

    stage.play(steps, size)


def test_looking_changes_the_view_alone() -> None:
    stage = Stage()

    async def steps(p: Pilot[None]) -> None:
        curves = stage.screen.query_one(Curves)
        await p.press("y", "x", "m")
        assert curves.view.log_y
        assert curves.view.axis == "epoch"
        await p.press("up", "up")
        assert curves.view.window is not None
        await p.press("home")
        assert curves.view.window is None
        await p.press("tab")
        assert curves.active == "metric"
        await p.press("z")
        assert curves.shown == ("metric",)
        assert stage.wire.sent == []

    stage.play(steps)


def test_the_table_of_keys_is_without_doubles() -> None:
    names = [name for name, _, _ in keys.bindings("steer", "look", "leave")]
    assert len(names) == len(set(names))
    ranks = [key.rank for key in KEYS if key.rank]
    assert len(ranks) == len(set(ranks))


def test_a_status_of_a_later_step_is_shown() -> None:
    stage = Stage()

    async def steps(p: Pilot[None]) -> None:
        later: Status = sights.status(1000)
        stage.wire.hand(later)
        await p.pause(0.5)
        assert "step 1,000" in stage.text("header")

    stage.play(steps)


@pytest.mark.parametrize("key", ["plus", "s", "question_mark"])
def test_a_record_that_cannot_be_read_is_left_with_the_reason(key: str) -> None:
    stage = Stage()

    async def steps(p: Pilot[None]) -> None:
        await p.press(key)
        await p.pause()
        stage.wire.damaged = "events.jsonl: damaged"
        stage.wire.hand(replace(sights.status(900), last_seq=5))
        await p.pause(0.3)

    assert stage.play(steps) == Left("failed start", "events.jsonl: damaged")


def test_ctrl_c_twice_leaves_it_training() -> None:
    stage = Stage()

    async def steps(p: Pilot[None]) -> None:
        await p.press("ctrl+c")
        await p.pause()
        await p.press("ctrl+c")

    assert stage.play(steps) == Left("detached")
    assert stage.wire.sent == []

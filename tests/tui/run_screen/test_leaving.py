import pytest
from msgspec.structs import replace
from support import run_models as sights
from support.run_stage import Stage
from textual.pilot import Pilot

from trainconsole.engine.protocol.status import Status
from trainconsole.tui import keys
from trainconsole.tui.dialogs.finished import FinishedScreen
from trainconsole.tui.dialogs.stop import LeaveScreen
from trainconsole.tui.keys import KEYS
from trainconsole.tui.run_screen.screen_result import Left
from trainconsole.tui.widgets.curve_grid import Curves


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

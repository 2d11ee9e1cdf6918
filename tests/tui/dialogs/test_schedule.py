from typing import Any

import msgspec
import pytest
from support.piloting import Over, pilot, pressed, screen_text, seen, tried
from support.statuses import STARTING, status
from textual.pilot import Pilot
from textual.widgets import Input

from trainconsole.engine.config.schedules import Constant, MultiStep, OneCycle, StepDecay
from trainconsole.engine.protocol.grammar import parse
from trainconsole.tui.dialogs.parameter_dialog import Names
from trainconsole.tui.dialogs.schedule import Chart, ScheduleScreen

SIZES = [(120, 40), (80, 24), (200, 60), (100, 30), (80, 16), (40, 12), (20, 5)]


def answered(*keys: str, **given: Any) -> list[Any]:
    return pressed(ScheduleScreen(status(**given)), keys)


@pytest.mark.parametrize(
    ("keys", "command"),
    [
        (["enter"], "schedule cosine"),
        (["up", "enter"], "schedule polynomial"),
        (["down", "down", "enter"], "schedule one_cycle"),
        (["r", "enter"], "schedule reduce_on_plateau"),
        (["s", "enter"], "schedule step"),
        (["s", "s", "enter"], "schedule staircase"),
        (["tab", *"200", "enter"], "schedule cosine T_max=200"),
        (["right", *"200", "down", *"1e-5", "enter"], "schedule cosine T_max=200 eta_min=1e-5"),
        (["right", "tab", "tab", "right", "enter"], "schedule cosine unit=epoch"),
        (["right", "tab", "tab", "space", "space", "enter"], "schedule cosine"),
        (["m", "right", *"3, 5", "enter"], "schedule multistep milestones=[3,5]"),
        (["right", *"9", "left", "left", "e", "right", *".9", "enter"], "schedule exponential gamma=0.9"),
        (["right", *"20", "down", "up", "shift+tab", "down", "up", "enter"], "schedule cosine T_max=20"),
        (["right", "up", "up", "o", "enter"], "schedule one_cycle"),
    ],
    ids=" ".join,
)
def test_keys_make_a_command(keys, command):
    assert answered(*keys) == [(command,)]
    assert parse(command)


@pytest.mark.parametrize("size", SIZES)
def test_it_can_be_driven_at_any_size(size):
    screen = ScheduleScreen(status())
    assert pressed(screen, ["s", "tab", *"5", "tab", *".5", "enter"], size) == [
        ("schedule step step_size=5 gamma=0.5",)
    ]


@pytest.mark.parametrize("keys", [["escape"], ["right", *"200", "escape"], ["m", "escape"]])
def test_escape_sends_nothing(keys):
    assert answered(*keys) == [()]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (["s", "right", *"0"], "step_size: must be >= 1, got 0"),
        (["s", "right", *"1.5"], "step_size: expected a whole number, got 1.5"),
        (["s", "right", "down", *"-1"], "gamma: must be > 0.0, got -1"),
        (["s", "right", "down", *"nan"], "gamma: must be > 0.0, got nan"),
        (["m"], "milestones: missing"),
        (["m", "right", *"5,3"], "milestones must rise"),
        (["m", "right", *"a"], "milestones"),
        (["o", "right", "down", *"1"], "total_steps: must be >= 2, got 1"),
        (["r", "right", *"speed"], "unknown metric 'speed'"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_and_not_sent(keys, says):
    results, text = tried(ScheduleScreen(status()), [*keys, "enter"])
    assert results == []
    assert says in text


def test_a_refused_confirmation_goes_to_the_field():
    async def steps(driver: Pilot[None]) -> None:
        await driver.press("m", "enter")
        await driver.pause()
        focused = app.dialog.focused
        assert isinstance(focused, Input)
        assert focused.name == "milestones"
        assert focused.has_class("-wrong")
        await driver.press(*"2", "enter")
        await driver.pause()
        assert app.results == [("schedule multistep milestones=[2]",)]

    app = Over(ScheduleScreen(status()))
    pilot(app, (120, 40), steps)


def test_the_one_in_force_is_marked_and_filled_in():
    screen = ScheduleScreen(status(schedule=StepDecay(step_size=7, gamma=0.3)))
    text = seen(screen)
    assert "● step" in text
    assert text.count("●") == 1
    assert pressed(ScheduleScreen(status(schedule=StepDecay(step_size=7))), ["enter"]) == [
        ("schedule step step_size=7",)
    ]
    assert pressed(ScheduleScreen(status(schedule=MultiStep(milestones=(2, 4)))), ["enter"]) == [
        ("schedule multistep milestones=[2,4]",)
    ]


def test_what_was_typed_stays_when_another_is_looked_at():
    assert answered("right", *"77", "left", "left", "left", "down", "down", "up", "up", "enter") == [
        ("schedule cosine T_max=77",)
    ]


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_the_rate_to_come_stands_beside_the_present_one(size):
    text = seen(ScheduleScreen(status()), ["o"], size)
    assert "2e-5 → 5e-4 → 2e-9" in text
    assert "·· as it is" in text
    assert any("\u2800" < char <= "\u28ff" for char in text)


def test_without_a_valid_choice_only_the_present_one_is_there():
    text = seen(ScheduleScreen(status()), ["m"])
    assert "·· as it is  5e-4 → 0" in text
    assert not any("\u2800" < char <= "\u28ff" for char in text)


def followed(first: Any, then: Any, keys: list[str]) -> tuple[str, str, ScheduleScreen]:
    """The screen before and after a new status."""
    screen, texts = ScheduleScreen(first), []
    app = Over(screen)

    async def steps(driver: Pilot[None]) -> None:
        await driver.press(*keys)
        await driver.pause()
        texts.append(screen_text(app))
        screen.follow(then)
        await driver.pause()
        texts.append(screen_text(app))

    pilot(app, (120, 40), steps)
    return texts[0], texts[1], screen


def test_the_preview_is_from_this_step_on():
    before, after, _ = followed(status(step=500), status(step=750), ["o"])
    assert "2e-5 → 5e-4" in before
    assert "5.86e-6 → 1.46e-4" in after


def test_another_schedule_in_force_is_marked_anew():
    before, after, _ = followed(status(), status(schedule=Constant()), ["o"])
    assert "● cosine" in before
    assert "● constant" in after
    assert after.count("●") == 1


def test_a_status_that_changes_nothing_draws_nothing():
    screen = ScheduleScreen(msgspec.structs.replace(status(), steps=100_000))
    drawn = []

    async def steps(driver: Pilot[None]) -> None:
        await driver.press("o")
        await driver.pause()
        chart = screen.query_one(Chart)
        chart.refresh = lambda *args, **named: drawn.append(args)  # type: ignore[method-assign]
        screen.follow(msgspec.structs.replace(screen.status, step=501))
        await driver.pause()
        assert drawn == []
        screen.follow(msgspec.structs.replace(screen.status, step=5000))
        assert len(drawn) == 1

    pilot(Over(screen), (120, 40), steps)


def test_what_is_typed_survives_a_status():
    screen = ScheduleScreen(status())
    app = Over(screen)

    async def steps(driver: Pilot[None]) -> None:
        await driver.press("right", *"12")
        screen.follow(status(step=600, schedule=OneCycle()))
        await driver.press(*"34", "enter")
        await driver.pause()

    pilot(app, (120, 40), steps)
    assert app.results == [("schedule cosine T_max=1234",)]


def test_while_the_host_starts_it_says_so():
    assert "still starting" in seen(ScheduleScreen(STARTING))
    assert pressed(ScheduleScreen(STARTING), ["down", "enter"]) == [("schedule step",)]


def test_enter_at_once_after_an_arrow_takes_what_is_highlighted():
    """Keys that come faster than the messages they lead to."""
    screen = ScheduleScreen(status())
    app = Over(screen)

    async def steps(driver: Pilot[None]) -> None:
        screen.query_one(Names).action_cursor_down()
        screen.action_confirm()
        await driver.pause()

    pilot(app, (120, 40), steps)
    assert app.results == [("schedule cosine_restarts",)]

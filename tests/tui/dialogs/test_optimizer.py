from typing import Any

import pytest
from support.piloting import Over, pilot, pressed, screen_text, seen, tried
from support.statuses import STARTING, status
from textual.pilot import Pilot

from trainconsole.engine.config.schedules import Cosine
from trainconsole.engine.protocol.grammar import parse
from trainconsole.tui.dialogs.optimizer import OptimizerScreen
from trainconsole.tui.dialogs.parameter_dialog import Names

SGD = {"optimizer": "sgd", "momentum": 0.9, "dampening": 0.0, "nesterov": False}


def answered(*keys: str, **given: Any) -> list[Any]:
    return pressed(OptimizerScreen(status(**given)), keys)


@pytest.mark.parametrize(
    ("keys", "command"),
    [
        (["s", "enter"], "optimizer sgd"),
        (["s", "right", *"0.01", "tab", *"0.9", "enter"], "optimizer sgd lr=0.01 momentum=0.9"),
        (
            ["s", "right", "down", *".9", "down", "down", "right", "enter"],
            "optimizer sgd momentum=0.9 nesterov=true",
        ),
        (["down", "enter"], "optimizer adamw"),
        (["down", "right", "tab", *"0.8 0.99", "enter"], "optimizer adamw betas=[0.8,0.99]"),
        (["r", "r", "enter"], "optimizer rmsprop"),
        (["end", "right", *"mine.opt:Lion", "tab", *"1e-4", "enter"], "optimizer mine.opt:Lion lr=1e-4"),
    ],
    ids=str,
)
def test_keys_make_a_command(keys, command):
    assert answered(*keys) == [(command,)]
    assert parse(command)


def test_escape_sends_nothing():
    assert answered("s", "right", *"0.5", "escape") == [()]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (["s", "right", *"-1"], "lr: must be > 0.0, got -1"),
        (["s", "right", *"101"], "lr: must be <= 100.0, got 101"),
        (["s", "right", *"fast"], "lr: expected a number, got 'fast'"),
        (["s", "right", "down", *"1"], "momentum: must be < 1.0, got 1"),
        (["s", "right", "down", "down", "down", "right"], "nesterov needs momentum above 0"),
        (["down", "right", "down", *"0.9"], "betas: 2 numbers are needed, got 1"),
        (["end", "right", *"lion"], "unknown 'lion'"),
        (["end", "right"], "target: which class? as in package.module:Class"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_and_not_sent(keys, says):
    results, text = tried(OptimizerScreen(status()), [*keys, "enter"])
    assert results == []
    assert says in text


def test_a_rate_out_of_reach_is_refused_at_its_field():
    late = {"step": 900, "schedule": Cosine(T_max=10)}
    assert answered("s", "right", *"0.1", "enter", **late) == []
    assert "cosine schedule is at 0 here" in seen(OptimizerScreen(status(**late)), ["s", "right", *"0.1"])


def test_the_one_in_force_is_filled_in_and_keeps_its_rate():
    assert answered("right", "tab", "tab", "tab", "right", "enter") == [
        ("optimizer adam lr=0.0005 amsgrad=true",)
    ]
    assert answered("enter", **SGD) == [("optimizer sgd lr=0.0005 momentum=0.9",)]
    assert "● sgd" in seen(OptimizerScreen(status(**SGD)))


def test_at_a_rate_of_zero_there_is_none_to_keep():
    assert answered("enter", step=1000) == [("optimizer adam",)]


def test_a_users_own_is_filled_in():
    text = seen(OptimizerScreen(status(optimizer="mine.opt:Lion")))
    assert "● your own" in text
    assert "mine.opt:Lion" in text


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_what_carries_over_and_the_rate_to_come_are_said(size):
    text = seen(OptimizerScreen(status()), ["down"], size)
    assert "both moments and the step count carried over" in text
    assert "5e-4 → 5e-4: our default 1e-3, by the cosine schedule" in text
    assert "weight decay 0.0001 is now decoupled, was L2" in text
    text = seen(OptimizerScreen(status()), ["s", "right", *"0.1", "tab", *"0.9"], size)
    assert "momentum from the first moment" in text
    assert "5e-4 → 1e-1, as given" in text


def test_the_rate_to_come_follows_the_run():
    screen = OptimizerScreen(status())
    app = Over(screen)

    async def steps(driver: Pilot[None]) -> None:
        await driver.press("s")
        await driver.pause()
        assert "5e-4 → 5e-3" in screen_text(app)
        screen.follow(status(step=750))
        await driver.pause()
        assert "1.46e-4 → 1.46e-3" in screen_text(app)

    pilot(app, (120, 40), steps)


@pytest.mark.parametrize("size", [(200, 60), (80, 16), (40, 12), (20, 5)])
def test_it_can_be_driven_at_any_size(size):
    assert pressed(OptimizerScreen(status()), ["s", "tab", *"0.2", "enter"], size) == [
        ("optimizer sgd lr=0.2",)
    ]


def test_while_the_host_starts_it_says_so():
    assert "still starting" in seen(OptimizerScreen(STARTING))
    assert pressed(OptimizerScreen(STARTING), ["down", "enter"]) == [("optimizer adam",)]


def test_keys_that_come_at_once_choose_what_is_highlighted() -> None:
    """An enter that follows at once is not for what was highlighted before."""
    screen = OptimizerScreen(status())
    app = Over(screen)

    async def steps(p: Pilot[Any]) -> None:
        names = screen.query_one(Names)
        names.highlighted = [option.id for option in names.options].index("sgd")
        screen.action_confirm()
        await p.pause()

    pilot(app, (120, 40), steps)
    assert app.results == [("optimizer sgd",)]

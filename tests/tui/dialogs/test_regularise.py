from typing import Any

import pytest
from support.piloting import Over, pilot, pressed, screen_text, seen, tried
from support.statuses import STARTING, status
from textual.pilot import Pilot

from trainconsole.engine.config.knobs import KNOBS
from trainconsole.engine.protocol.grammar import parse
from trainconsole.tui.dialogs.regularise import RegulariseScreen


def answered(*keys: str, **given: Any) -> list[Any]:
    return pressed(RegulariseScreen(status(**given)), keys)


def down(count: int) -> list[str]:
    return ["down"] * count


@pytest.mark.parametrize(
    ("keys", "commands"),
    [
        (["enter"], ()),
        ([*"1e-4", "enter"], ()),
        ([*"0.01", "enter"], ("set weight_decay 0.01",)),
        ([*"off", "enter"], ("set weight_decay off",)),
        (["tab", *"1e-5", "tab", *"off", "enter"], ("set l1 1e-5", "set clip.norm off")),
        ([*down(3), *"0.5", "down", *"0.5", "enter"], ("set clip.value 0.5", "set dropout 0.5")),
        ([*down(5), *"0.1", "down", *"on", "enter"], ("set label_smoothing 0.1", "set augment on")),
        (["up", "3", "enter"], ("set patience 3",)),
        (["shift+tab", *"off", "enter"], ("set patience off",)),
        (["escape"], ()),
        ([*"0.01", "escape"], ()),
    ],
    ids=str,
)
def test_each_change_is_a_command(keys, commands):
    assert answered(*keys) == [commands]
    assert all(parse(command) for command in commands)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ([*"-1"], "weight_decay: must be >= 0.0, got -1.0"),
        ([*"lots"], "weight_decay: expected a number, got 'lots'"),
        ([*"1 2"], "weight_decay: expected KNOB VALUE"),
        ([*down(2), "0"], "clip.norm: must be > 0.0, got 0.0"),
        ([*down(4), "1"], "dropout: must be < 1.0, got 1.0"),
        ([*down(6), "2"], "augment: must be <= 1.0, got 2.0"),
        (["up", *"1.5"], "patience: expected a whole number, got 1.5"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_and_not_sent(keys, says):
    results, text = tried(RegulariseScreen(status()), [*keys, "enter"])
    assert results == []
    assert says in text


def test_a_model_without_dropout_has_none_to_set():
    assert answered(*down(4), *"0.5", "enter", dropout=None) == []
    text = seen(RegulariseScreen(status(dropout=None)), [*down(4), *"0.5"])
    assert "dropout: the model has no dropout layer" in text


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_all_that_is_in_force_is_there(size):
    text = seen(RegulariseScreen(status()), size=size)
    values = [next(line for line in text.splitlines() if f"│ {knob} " in line) for knob in KNOBS]
    found = [line.partition("│ ")[2].split()[1] for line in values]
    assert found == ["0.0001", "off", "1", "off", "0.25", "off", "off", "5"]


def test_a_field_that_nobody_touched_follows_the_run():
    screen = RegulariseScreen(status())
    app = Over(screen)

    async def steps(driver: Pilot[None]) -> None:
        await driver.press(*"0.5")
        screen.follow(status(weight_decay=0.3, dropout=0.75))
        await driver.pause()
        assert "0.75" in screen_text(app)
        await driver.press("enter")
        await driver.pause()

    pilot(app, (120, 40), steps)
    assert app.results == [("set weight_decay 0.5",)]


def test_while_nothing_is_known_fields_are_empty_and_fill_up():
    screen = RegulariseScreen(STARTING)
    app = Over(screen)

    async def steps(driver: Pilot[None]) -> None:
        assert "0.25" not in screen_text(app)
        screen.follow(status())
        await driver.pause()
        assert "0.25" in screen_text(app)
        await driver.press("enter")
        await driver.pause()

    pilot(app, (120, 40), steps)
    assert app.results == [()]


@pytest.mark.parametrize("size", [(200, 60), (40, 12), (20, 5)])
def test_it_can_be_driven_at_any_size(size):
    assert pressed(RegulariseScreen(status()), ["up", "2", "enter"], size) == [("set patience 2",)]

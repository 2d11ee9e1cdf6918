import pytest
from support.piloting import Over, pilot, pressed, screen_text, seen, tried
from support.statuses import STARTING, status
from textual.pilot import Pilot

from trainconsole.engine.config.schedules import Cosine
from trainconsole.engine.protocol.commands import Command
from trainconsole.engine.protocol.grammar import parse
from trainconsole.engine.protocol.status import Status
from trainconsole.tui.dialogs.prompt import PromptScreen
from trainconsole.tui.keys import ASKED


@pytest.mark.parametrize(
    ("start", "typed", "command"),
    [
        ("lr ", "1e-3", "lr 1e-3"),
        ("lr ", "x0.5", "lr x0.5"),
        ("lr ", " 0.01 ", "lr 0.01"),
        ("batch ", "128", "batch 128"),
        ("epochs ", "20", "epochs 20"),
        ("set patience ", "off", "set patience off"),
        ("checkpoint ", "before-swap", "checkpoint before-swap"),
        ("rewind ", "best", "rewind best"),
        ("rewind step ", "120", "rewind step 120"),
        ("next ", "10", "next 10"),
        ("", "optimizer  sgd lr=0.1", "optimizer sgd lr=0.1"),
    ],
)
def test_what_is_typed_completes_the_command(start, typed, command):
    assert pressed(PromptScreen("a title", start, status=status()), [*typed, "enter"]) == [(command,)]
    assert parse(command)


@pytest.mark.parametrize("asked", [asked for asked in ASKED if not asked.complete], ids=lambda a: a.name)
def test_what_the_palette_asks_for_is_shown(asked):
    text = seen(PromptScreen(asked.name, asked.start, asked.help, status()))
    assert asked.name in text
    assert asked.help in text
    assert asked.start.strip() in text


@pytest.mark.parametrize(
    ("start", "typed", "says"),
    [
        ("lr ", "fast", "lr: expected a number, got 'fast'"),
        ("lr ", "0", "a learning rate is above 0 and at most 100, not 0"),
        ("lr ", "x1e6", "a learning rate is above 0 and at most 100, not 500"),
        ("lr ", "1 2", "lr: expected one value"),
        ("batch ", "0", "batch: expected a whole number from 1, got '0'"),
        ("set patience ", "0", "must be >= 1, got 0"),
        ("checkpoint ", "best", "'best' cannot be a name"),
        ("rewind step ", "-1", "expected a whole number from 0"),
        ("", "lrr 0.1", "did you mean 'lr'?"),
    ],
)
def test_what_is_wrong_is_said_and_not_sent(start, typed, says):
    results, text = tried(PromptScreen("a title", start, status=status()), [*typed, "enter"])
    assert results == []
    assert says in text


def test_what_is_wrong_is_said_while_it_is_typed():
    assert "got 'fast'" in seen(PromptScreen("rate", "lr ", "", status()), [*"fast"])


def test_an_empty_field_is_refused_only_when_confirmed():
    assert "the hint" in seen(PromptScreen("rate", "lr ", "the hint", status()), ["1", "backspace"])
    assert "expected one value" in seen(PromptScreen("rate", "lr ", "the hint", status()), ["enter"])
    assert pressed(PromptScreen("rate", "lr "), ["enter"]) == []


def test_escape_sends_nothing():
    assert pressed(PromptScreen("rate", "lr "), [*"0.1", "escape"]) == [()]


@pytest.mark.parametrize(
    ("start", "present"),
    [
        ("lr ", "5e-4"),
        ("batch ", "64"),
        ("epochs ", "10"),
        ("set patience ", "5"),
        ("rewind step ", "0 to 500"),
    ],
)
def test_what_is_in_force_stands_in_the_empty_field(start, present):
    line = next(line for line in seen(PromptScreen("t", start, "", status())).splitlines() if start in line)
    assert line.partition(start)[2].strip(" │").startswith(present)
    assert seen(PromptScreen("t", start, "", STARTING))


def test_what_is_in_force_follows_the_run():
    screen = PromptScreen("rate", "lr ", "", status())
    app = Over(screen)

    async def steps(driver: Pilot[None]) -> None:
        screen.follow(status(step=750))
        await driver.pause()
        assert "1.46e-4" in screen_text(app)

    pilot(app, (80, 24), steps)


def test_a_rate_that_the_schedule_cannot_reach_is_refused():
    late = status(step=900, schedule=Cosine(T_max=10))
    assert "cosine schedule is at 0 here" in seen(PromptScreen("rate", "lr ", "", late), [*"0.1"])


def test_without_a_status_the_grammar_alone_decides():
    assert pressed(PromptScreen("rate", "lr "), [*"x1e6", "enter"]) == [("lr x1e6",)]


def test_another_check_can_be_given():
    def never(command: Command, status: Status | None) -> str:
        return "never"

    assert "never" in seen(PromptScreen("rate", "lr ", check=never), [*"0.1"])


@pytest.mark.parametrize("size", [(200, 60), (40, 12), (20, 5)])
def test_it_can_be_driven_at_any_size(size):
    assert pressed(PromptScreen("rate", "lr ", "", status()), [*"0.1", "enter"], size) == [("lr 0.1",)]

"""The run screen, driven by keys: what goes out, what is shown. Runs are made by hand, no host trains."""

import pytest
from msgspec.structs import replace
from support import run_models as sights
from support.run_stage import BIG, SMALL, Stage
from textual.pilot import Pilot

from trainconsole.engine.protocol.events import CommandApplied, CommandRejected
from trainconsole.tui.dialogs.help import HelpScreen
from trainconsole.tui.keys import KEYS

NAMES = {"plus": "+"}


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

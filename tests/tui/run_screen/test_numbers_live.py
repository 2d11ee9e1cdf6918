"""Own numbers on a live console: drawn as they are written, chosen by a key, remembered for the next run."""

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from support import run_models as sights
from support.feeds import Wire
from support.run_stage import BIG, SMALL
from support.staging import Steps
from support.staging import stage as staged
from textual.pilot import Pilot

from trainconsole.engine.protocol.events import Branched
from trainconsole.engine.record.scalars import ScalarWriter
from trainconsole.tui.dialogs.curves import CurvesScreen
from trainconsole.tui.run_screen.screen import RunScreen
from trainconsole.tui.state import chosen_curves
from trainconsole.tui.widgets.curve import Curve
from trainconsole.tui.widgets.curve_grid import Curves


class Live:
    """A run at step 900 that goes on to log numbers of its own."""

    def __init__(self, run: Path, *, measured: bool = False) -> None:
        self.wire, self.writer = Wire(run), ScalarWriter(run)
        sight = sights.made(900) if measured else sights.own()
        sight.run = run
        self.screen = RunScreen(sight, self.wire)

    def play(self, steps: Steps, size: tuple[int, int] = BIG) -> None:
        staged(self.screen, steps, size)

    async def tick(self, p: Pilot[None], *events: Branched) -> None:
        """The host says that there is something new."""
        self.wire.hand(replace(sights.status(900), last_seq=self.screen.status.last_seq + 1), events)
        await p.pause(0.5)

    @property
    def curves(self) -> tuple[str, ...]:
        return tuple(curve.kind.title for curve in self.screen.query(Curve) if curve.display)


def test_numbers_and_names_appear_as_they_are_logged(tmp_path: Path) -> None:
    live = Live(tmp_path)

    async def steps(p: Pilot[None]) -> None:
        live.writer.write("reward", np.arange(901, 950), 0, 1.5)
        live.writer.write("late", 910, 0, 0.25)
        await live.tick(p)
        own = live.screen.sight.own
        assert own.keys == ("own:reward", "own:eval/f1", "own:late")
        assert own.track("reward").last == {"step": 949, "value": 1.5}
        await p.press("g", *"late", "enter")
        assert "hide one first" in str(live.screen.app.screen.query_one("#said").render())
        await p.press(*["backspace"] * 4, *"f1", "space", *["backspace"] * 2, *"late", "space", "escape")
        await p.pause(0.3)
        assert live.curves == ("loss", "reward", "learning rate", "late")

    live.play(steps)
    assert chosen_curves.read("digits") == ("loss", "lr", "own:reward", "own:late")


def test_the_choice_holds_for_the_next_run_of_the_preset(tmp_path: Path) -> None:
    chosen_curves.remember("digits", ("own:eval/f1", "own:of another run", "lr"))
    live = Live(tmp_path)

    async def steps(p: Pilot[None]) -> None:
        await p.pause(0.3)
        assert live.curves == ("eval/f1", "learning rate")
        await p.press("g", "down", "down", "enter")
        await p.pause(0.3)
        assert live.curves == ("eval/f1",)
        await p.press(*"f1", "enter")
        await p.pause(0.3)
        assert live.curves == ("loss", "reward", "learning rate", "eval/f1")
        await p.press("escape")
        await p.pause()

    live.play(steps)
    assert chosen_curves.read("digits") == ()


def test_an_undo_leaves_what_was_abandoned_behind(tmp_path: Path) -> None:
    live = Live(tmp_path)

    async def steps(p: Pilot[None]) -> None:
        fork = Branched(step=600, branch=1, parent=0, at_step=600, why="undo", lineage=())
        live.writer.write("reward", [601, 602], 1, [7.0, 8.0])
        await live.tick(p, fork)
        track = live.screen.sight.own.track("reward")
        assert (len(track), track.last) == (603, {"step": 602, "value": 8.0})
        assert len(track.abandoned) == 1
        assert live.screen.sight.own.track("eval/f1").last == {"step": 600, "value": pytest.approx(0.58)}

    live.play(steps)


def test_a_run_with_all_four_keeps_them(tmp_path: Path) -> None:
    live = Live(tmp_path, measured=True)

    async def steps(p: Pilot[None]) -> None:
        live.writer.write("reward", 1, 0, 1.5)
        await live.tick(p)
        assert live.curves == ("loss", "", "learning rate", "gradient norm")

    live.play(steps)


def test_what_cannot_be_read_is_told_once_and_stops_nothing(tmp_path: Path) -> None:
    live = Live(tmp_path)

    async def steps(p: Pilot[None]) -> None:
        live.writer.add(["evil", "good"])
        (tmp_path / "scalars").mkdir()
        (tmp_path / "scalars" / "evil.bin").symlink_to(tmp_path / "away")
        live.writer.write("good", 1, 0, 1.0)
        await live.tick(p)
        (tmp_path / "away").write_bytes(b"x" * 64)
        await live.tick(p)
        await live.tick(p)
        told = [entry.text for entry in live.screen.sight.story.entries if "own numbers" in entry.text]
        assert told == ["own numbers 'evil' cannot be read: it is a link, not a file"]
        assert "own:good" in live.screen.sight.own.keys

    live.play(steps)


def test_a_long_record_is_read_a_part_at_a_time_and_drawn(tmp_path: Path) -> None:
    live = Live(tmp_path)
    live.writer.write("long", np.arange(1_000_000), 0, np.sin(np.arange(1_000_000) / 1e5))

    async def steps(p: Pilot[None]) -> None:
        await live.tick(p)
        for _ in range(100):
            if len(live.screen.sight.own.track("long")) == 1_000_000:
                break
            await p.pause(0.05)
        assert len(live.screen.sight.own.track("long")) == 1_000_000

    live.play(steps)


@pytest.mark.parametrize("size", [BIG, SMALL, (20, 5)])
def test_the_dialog_stops_no_curve_in_any_size(tmp_path: Path, size: tuple[int, int]) -> None:
    live = Live(tmp_path)

    async def steps(p: Pilot[None]) -> None:
        await p.press("tab", "g")
        await p.pause()
        assert isinstance(live.screen.app.screen, CurvesScreen)
        live.writer.write("new", 1, 0, 1.5)
        await live.tick(p)
        assert "own:new" in live.screen.app.screen._names
        await p.press(*"new", "escape", "z", "tab", "i", "z")
        await p.pause()
        assert live.screen.query_one(Curves).active in live.screen.query_one(Curves).known

    live.play(steps, size)

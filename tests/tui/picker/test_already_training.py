from pathlib import Path

import pytest
from support.staging import OPEN, lines, presses, stage
from textual.pilot import Pilot

from trainconsole.engine.transport.registry import Live
from trainconsole.tui.picker.already_training import BesideScreen
from trainconsole.tui.picker.entries import Open, Start


def host(name: str) -> Live:
    return Live(run=f"/runs/{name}", pid=1, began="", hostname="", socket="", since=1.8e9)


def asked(*names: str) -> BesideScreen:
    return BesideScreen("mnist", [host(name) for name in names])


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["enter"], Open(Path("/runs/new"))),
        (["down", "enter"], Open(Path("/runs/old"))),
        (["down", "down", "enter"], Start("mnist")),
        (["down", "down", "down", "enter"], None),
        (["escape"], None),
        (["x"], OPEN),
    ],
)
def test_answers(keys: list[str], expected: object) -> None:
    assert stage(asked("old", "new"), presses(*keys)) == expected


@pytest.mark.parametrize(
    ("runs", "title"), [(["a"], "another run is still training"), (["a", "b"], "2 runs are still")]
)
def test_it_says_what_is_live(runs: list[str], title: str) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        text = "\n".join(lines(pilot.app))
        assert title in text
        assert all(f"attach to {name}" in text for name in runs)
        assert "start mnist" in text
        assert "esc cancel" in text

    stage(asked(*runs), steps)


def test_names_are_harmless() -> None:
    async def steps(pilot: Pilot[None]) -> None:
        assert "attach to \ufffd[2J" in "\n".join(lines(pilot.app))

    stage(asked("\x1b[2J"), steps)


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (40, 12), (200, 60)])
def test_every_size(size: tuple[int, int]) -> None:
    assert stage(asked(*(f"run{i}" for i in range(40))), presses("up", "up", "enter"), size) == Start("mnist")

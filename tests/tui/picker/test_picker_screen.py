import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.run_files import EPOCH, FINISHED, INTERRUPTED, written
from support.staging import OPEN, Steps, lines, presses, stage, wait
from textual.pilot import Pilot
from textual.widgets import OptionList

from trainconsole import presets
from trainconsole.engine.transport import registry
from trainconsole.tui.picker import screen as picker
from trainconsole.tui.picker.already_training import BesideScreen
from trainconsole.tui.picker.screen import Open, PickerScreen, Start


def names(screen: PickerScreen) -> list[str]:
    """The keys of what is listed."""
    return [option.id or "" for option in screen.query_one(OptionList).options]


def picked(runs: Path, *keys: str) -> object:
    return stage(PickerScreen(runs), presses(*keys))


def in_runs(screen: PickerScreen, *keys: str) -> Steps:
    """`keys` once the runs are there, in their tab."""

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("tab")
        await wait(pilot, lambda: names(screen))
        await pilot.press(*keys)

    return steps


def test_enter_starts_the_first(tmp_path: Path) -> None:
    assert picked(tmp_path, "enter") == Start(presets.DEFAULT)


def test_arrows_move(tmp_path: Path) -> None:
    assert picked(tmp_path, "down", "down", "up", "enter") == Start(presets.names()[1])


@pytest.mark.parametrize("typed", ["mnist", "MNIST", "mnisx\bt", "swap\b\b\b\bmnist"])
def test_typing_filters(tmp_path: Path, typed: str) -> None:
    keys = ["backspace" if char == "\b" else char for char in typed]
    assert picked(tmp_path, *keys, "enter") == Start("mnist")


def test_what_is_typed_is_seen(tmp_path: Path) -> None:
    screen = PickerScreen(tmp_path)

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press(*"swap")
        assert names(screen) == ["mnist-swap"]
        text = "\n".join(lines(pilot.app))
        assert f"filter swap   1 of {len(presets.names())}" in text
        assert "Adam for five epochs, then SGD on the same weights" in text
        await pilot.press(*"zzz")
        assert names(screen) == []
        await pilot.press("enter", "escape")
        assert names(screen) == presets.names()

    assert stage(screen, steps) is OPEN


@pytest.mark.parametrize(
    "keys", [["escape"], ["x", "escape", "escape"], ["x", "ctrl+c"], ["right", "escape", "escape"]]
)
def test_leaving(tmp_path: Path, keys: list[str]) -> None:
    assert picked(tmp_path, *keys[:-1]) is OPEN
    assert picked(tmp_path, *keys) is None


def test_the_highlighted_preset_is_told(tmp_path: Path) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press(*"iris")
        text = "\n".join(lines(pilot.app))
        assert "four measurements: a small MLP, an epoch in milliseconds." in text
        assert 'name = "iris"' in text
        assert "description" not in text

    stage(PickerScreen(tmp_path), steps)


def test_presets_that_download_say_so(tmp_path: Path) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        marked = {line.split()[1] for line in lines(pilot.app) if " download " in line and "│" in line[:2]}
        assert marked == {preset.name for preset in presets.listing() if preset.download}
        await pilot.press(*"cifar")
        assert "downloads its data on first use" in "\n".join(lines(pilot.app))

    stage(PickerScreen(tmp_path), steps)


def test_toml_alone_and_back(tmp_path: Path) -> None:
    screen = PickerScreen(tmp_path)

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("right")
        await pilot.pause()
        text = "".join(lines(pilot.app))
        assert "[optimizer]" in text
        assert "classification" not in text
        await pilot.press("left")
        await pilot.pause()
        assert "classification" in "".join(lines(pilot.app))
        await pilot.press("right", "m")
        await pilot.pause()
        assert names(screen)[0] == "mnist"
        assert "model" in lines(pilot.app)[3]
        await pilot.press("right")
        await pilot.resize_terminal(30, 24)
        await pilot.press("left")
        await wait(pilot, lambda: lines(pilot.app)[4].startswith("│ mnist           "))

    stage(screen, steps)


def test_toml_scrolls(tmp_path: Path) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        assert "weight_decay" not in "".join(lines(pilot.app))
        await pilot.press(*["pagedown"] * 12)
        await pilot.pause()
        assert "weight_decay" in "".join(lines(pilot.app))
        await pilot.press("down")
        await pilot.pause()
        assert "ResNet-18" in "".join(lines(pilot.app))

    stage(PickerScreen(tmp_path), steps)


def test_runs_are_listed_and_opened(tmp_path: Path) -> None:
    older = written(tmp_path, EPOCH, FINISHED, name="a")
    newer = written(tmp_path, EPOCH, INTERRUPTED, name="b")
    screen = PickerScreen(tmp_path)

    async def steps(pilot: Pilot[None]) -> None:
        await in_runs(screen)(pilot)
        assert names(screen) == [str(newer), str(older)]
        text = "\n".join(lines(pilot.app))
        assert "runs 2" in text
        assert "interrupted" in text
        assert "accuracy 0.9871" in text
        await pilot.press("down", "enter")

    assert stage(screen, steps) == Open(older)


def test_runs_are_filtered(tmp_path: Path) -> None:
    wanted = written(tmp_path, EPOCH, FINISHED, name="a")
    written(tmp_path, EPOCH, INTERRUPTED, name="b")
    screen = PickerScreen(tmp_path)
    assert stage(screen, in_runs(screen, *"finished", "enter")) == Open(wanted)


def test_a_live_run_comes_first_and_is_attached_to(tmp_path: Path) -> None:
    run = written(tmp_path, EPOCH, name="a")
    written(tmp_path, EPOCH, FINISHED, name="b")
    registry.register(run, tmp_path / "no.sock")
    screen = PickerScreen(tmp_path)

    async def steps(pilot: Pilot[None]) -> None:
        await in_runs(screen)(pilot)
        assert "1 live" in lines(pilot.app)[0]
        assert f"pid {os.getpid()}" in "\n".join(lines(pilot.app))
        await pilot.press("enter")

    assert stage(screen, steps) == Open(run)


def test_what_changes_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picker, "LOOK", 0.2)
    first = written(tmp_path, EPOCH, INTERRUPTED, name="a")
    screen = PickerScreen(tmp_path)

    async def steps(pilot: Pilot[None]) -> None:
        await in_runs(screen)(pilot)
        second = written(tmp_path, EPOCH, FINISHED, name="b")
        await wait(pilot, lambda: names(screen) == [str(second), str(first)])
        registry.register(first, tmp_path / "no.sock")
        await wait(pilot, lambda: names(screen) == [str(first), str(second)])

    stage(screen, steps)


def test_no_runs(tmp_path: Path) -> None:
    screen = PickerScreen(tmp_path / "none")

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("tab")
        await wait(pilot, lambda: "no runs in" in "".join(lines(pilot.app)))
        await pilot.press("enter", "right", "pagedown")

    assert stage(screen, steps) is OPEN


@pytest.mark.parametrize(
    ("keys", "expected"), [(["enter"], "open"), (["down", "enter"], Start("digits")), (["escape"], OPEN)]
)
def test_another_run_is_live(tmp_path: Path, keys: list[str], expected: object) -> None:
    run = written(tmp_path, EPOCH)
    registry.register(run, tmp_path / "no.sock")

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await wait(pilot, lambda: isinstance(pilot.app.screen, BesideScreen))
        await pilot.press(*keys)
        await pilot.pause()

    assert stage(PickerScreen(tmp_path), steps) == (Open(run) if expected == "open" else expected)


@pytest.mark.parametrize("size", [(20, 5), (80, 24), (120, 40)])
def test_every_size(tmp_path: Path, size: tuple[int, int]) -> None:
    for index in range(25):
        written(tmp_path, EPOCH, FINISHED, name=f"r{index}")
    screen = PickerScreen(tmp_path)

    async def steps(pilot: Pilot[None]) -> None:
        assert presets.DEFAULT in "".join(lines(pilot.app))
        await in_runs(screen, "end")(pilot)
        await pilot.pause()
        last = screen.query_one(OptionList).highlighted_option
        assert last is not None
        assert Path(last.id or "").name[:12] in "\n".join(lines(pilot.app))
        for width, height in ((20, 5), (1, 1), (110, 20), (200, 60), size):
            await pilot.resize_terminal(width, height)
            await pilot.press("tab", "m")
        await pilot.pause()
        assert all(len(line) <= size[0] for line in lines(pilot.app))

    stage(screen, steps, size)


def test_the_first_frame_needs_little() -> None:
    code = (
        "import sys; import trainconsole.tui.picker.screen;"
        "print([m for m in ('torch', 'plotext', 'numpy', 'pygments', 'click') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

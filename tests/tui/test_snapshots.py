"""Pictures of every screen, to be looked at: runs made by hand, no host, no clock.

Made anew by: pytest -n 0 tests/tui/test_snapshots.py --snapshot-update
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support import pins
from support import run_models as sights
from support.colour_vision import Eyes
from support.feeds import Wire
from support.run_files import EPOCH, FINISHED, INTERRUPTED, SAVED, written
from support.staging import lines, wait
from textual import constants
from textual.filter import LineFilter
from textual.pilot import Pilot
from textual.screen import Screen

from trainconsole.engine.transport import registry
from trainconsole.engine.transport.registry import Live
from trainconsole.tui import ascii_fallback
from trainconsole.tui.picker.screen import PickerScreen
from trainconsole.tui.run_screen.screen import RunScreen
from trainconsole.tui.screenshot import Studio
from trainconsole.tui.state.run_model import Sight

Size = tuple[int, int]
SMALL, BIG = (80, 24), (120, 40)
SIZES = pytest.mark.parametrize("size", [SMALL, BIG], ids=lambda size: f"{size[0]}x{size[1]}")
STILL = 3
"""Looks in a row at which nothing has changed: it has been drawn."""
DIMS = 0.66
"""Textual's own."""
MORNING = 1767348000
"""2026-01-02 10:00 UTC, in seconds since 1970."""
LOG = """\
Traceback (most recent call last):
  File "trainer.py", line 118, in train_step
    self._refuse(loss)
FloatingPointError: the loss is nan at step 900 (layer fc1)
"""
RUNS = sights.RUN.parent.name


@pytest.fixture(autouse=True)
def anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine, its time zone, the directory and the environment have nothing to do with a picture."""
    if refusal := pins.refusal():
        pytest.fail(refusal, pytrace=False)
    if constants.DIM_FACTOR != DIMS:
        pytest.fail("unset TEXTUAL_DIM_FACTOR: textual reads it when it is imported", pytrace=False)
    for name in os.environ:
        if name.startswith("TEXTUAL_") and not name.startswith("TEXTUAL_SNAPSHOT_"):
            monkeypatch.delenv(name)
    for name in ("NO_COLOR", "COLORTERM", "LC_ALL", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "FILTERS", "")
    monkeypatch.setattr(ascii_fallback, "needed", lambda: False)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.chdir(tmp_path.resolve())
    yield
    # With what a test has set on top of it, in the reverse order.
    monkeypatch.undo()
    time.tzset()


def mid() -> Sight:
    return sights.made(900)


def failed() -> Sight:
    """With a directory that has a log and a checkpoint."""
    sight = sights.made(900, more=[sights.failed()])
    sight.run = Path.cwd() / RUNS / sights.RUN.name
    (sight.run / "checkpoints").mkdir(parents=True)
    (sight.run / "checkpoints" / "last.pt").touch()
    (sight.run / "host.log").write_text(LOG)
    return sight


def finished() -> Sight:
    sight = sights.made(sights.END.step, stage="finished", more=[sights.finished()])
    sight.run = Path.cwd() / RUNS / sights.RUN.name
    return sight


STAGES: dict[str, Callable[[], Sight]] = {
    "loading": sights.loading,
    "early": lambda: sights.made(40),
    "mid-run": mid,
    "paused": lambda: sights.made(900, stage="paused"),
    "finished": finished,
    "failed": failed,
    "nan": sights.with_nan,
    "forked": sights.forked,
    "own-numbers": sights.own,
}
DIALOGS: dict[str, Sequence[str]] = {
    "schedule": ["s", "l"],
    "optimizer": ["o", "s"],
    "regularise": ["w"],
    "stop": ["e"],
    "leave": ["q"],
    "help": ["question_mark"],
    "prompt": ["l", *"1e-3"],
}


@dataclass(frozen=True)
class Pose:
    """A screen, the keys that are pressed once it stands `ready`, and through what it is looked at."""

    screen: Screen[Any]
    keys: Sequence[str] = ()
    ready: Callable[[], bool] = lambda: True
    filters: Sequence[LineFilter] = field(default_factory=tuple)


@pytest.fixture
def pictured(snap_compare: Callable[..., bool]) -> Callable[[Pose, Size], bool]:
    """Whether it looks as it did."""

    def compare(pose: Pose, size: Size) -> bool:
        async def steps(pilot: Pilot[Any]) -> None:
            await still(pilot)
            await wait(pilot, pose.ready)
            for key in pose.keys:
                await pilot.press(key)
                await still(pilot)
            await still(pilot)

        app = Studio(pose.screen)
        app.last_filters += tuple(pose.filters)
        return snap_compare(app, terminal_size=size, run_before=steps)

    return compare


async def still(pilot: Pilot[Any]) -> None:
    """Until nothing changes any more."""
    seen: list[list[str]] = []
    while seen.count(seen[-1] if seen else []) < STILL:
        await pilot.pause(0.01)
        now = lines(pilot.app)
        seen = [*seen, now] if now in seen[-1:] else [now]


def run(sight: Sight, *keys: str, filters: Sequence[LineFilter] = ()) -> Pose:
    return Pose(RunScreen(sight, Wire(sight.run)), keys, filters=filters)


@SIZES
@pytest.mark.parametrize("stage", STAGES)
def test_a_run(stage: str, size: Size, pictured: Callable[[Pose, Size], bool]) -> None:
    assert pictured(run(STAGES[stage]()), size)


@SIZES
@pytest.mark.parametrize("dialog", DIALOGS)
def test_a_dialog(dialog: str, size: Size, pictured: Callable[[Pose, Size], bool]) -> None:
    assert pictured(run(mid(), *DIALOGS[dialog]), size)


@SIZES
@pytest.mark.parametrize(
    ("view", "keys"),
    [
        ("list", ["g", "down"]),
        ("filtered", ["g", *"f1", "space"]),
        ("alone", ["tab", "tab", "tab", "z"]),
    ],
    ids=["list", "filtered", "alone"],
)
def test_own_numbers(view: str, keys: list[str], size: Size, pictured: Callable[[Pose, Size], bool]) -> None:
    assert pictured(run(sights.own(), *keys), size)


@SIZES
def test_no_colour(
    size: Size, pictured: Callable[[Pose, Size], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert pictured(run(mid()), size)


def test_colour_blind(pictured: Callable[[Pose, Size], bool]) -> None:
    """The most frequent kind; the others are held to numbers in test_theme.py."""
    assert pictured(run(mid(), filters=[Eyes("deuteranopia")]), BIG)


def test_ascii(pictured: Callable[[Pose, Size], bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ascii_fallback, "needed", lambda: True)
    assert pictured(run(mid()), SMALL)


CONFIG = """description = "Iris"
epochs = 50
batch_size = 16
seed = 0

[data]
name = "iris"
scaling = "standard"

[data.split]
test = 0.2
validation = 0.2

[model]
name = "mlp"
hidden = [64, 32]

[optimizer]
name = "adam"
lr = 0.001
betas = [0.9, 0.999]
"""
"""Not all that there is: a new key of the config is no new picture."""


def dated(run: Path, name: str, hours: int) -> Path:
    """`run` under another name, written at 10:00 + `hours`."""
    moved = run.rename(run.with_name(name))
    events = moved / "events.jsonl"
    events.write_text(re.sub(r'"time":[\d.]+', '"time":0.0', events.read_text()))
    (moved / "config.toml").write_text(CONFIG, encoding="utf-8")
    os.utime(events, (MORNING + 3600 * hours,) * 2)
    return moved


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> PickerScreen:
    """A picker in whose runs one is live and three are over."""
    runs = Path.cwd() / RUNS
    saved = [EPOCH, SAVED]
    dated(written(runs, *saved, FINISHED, checkpoints=["best", "last"]), "2026-01-02_10-00-00_iris", 0)
    dated(written(runs, *saved, INTERRUPTED, checkpoints=["last"]), "2026-01-02_11-00-00_iris", 1)
    dated(written(runs), "2026-01-02_12-00-00_iris-first", 2)
    trains = dated(written(runs, *saved), "2026-01-02_13-00-00_iris-swap", 3)
    host = Live(run=str(trains), pid=4242, began="", hostname="", socket="", since=MORNING + 10800)
    monkeypatch.setattr(registry, "live", lambda: [host])
    return PickerScreen(runs)


@SIZES
@pytest.mark.parametrize(
    ("view", "keys"),
    [("presets", []), ("runs", ["tab", "down", "down"]), ("another-is-live", ["enter"])],
    ids=["presets", "runs", "another-is-live"],
)
def test_the_picker(
    view: str, keys: list[str], size: Size, shelf: PickerScreen, pictured: Callable[[Pose, Size], bool]
) -> None:
    pose = Pose(shelf, keys, ready=lambda: "1 live" in lines(shelf.app)[0])
    assert pictured(pose, size)


def test_another_version_is_refused() -> None:
    versions = pins.pinned()
    assert pins.refusal(versions.__getitem__) == ""
    text = pins.refusal((versions | {"textual": "8.3.0"}).__getitem__)
    assert f"textual=={versions['textual']}, not 8.3.0" in text
    assert "rich" not in text

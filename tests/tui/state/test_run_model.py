"""What the console has read of a run, and what it draws from it."""

import re
from pathlib import Path

import numpy as np
import pytest
from support import run_models as sights
from support.process import only_run, train

from trainconsole.engine.protocol.status import Status
from trainconsole.engine.record import run_directory
from trainconsole.engine.runs import branches
from trainconsole.engine.schedule import rate_plan
from trainconsole.engine.schedule.rate_plan import Position
from trainconsole.tui.screenshot import to_svg
from trainconsole.tui.state.feed import Feed
from trainconsole.tui.state.run_model import Sight, ahead


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run with a change, an undo and a schedule."""
    cwd: Path = tmp_path_factory.mktemp("sight")
    script = ["epoch 3: lr x0.5", "epoch 5: optimizer sgd lr=0.01", "epoch 6: undo"]
    train(
        *("--preset", "iris", "--set", "epochs=10", "--threads", "1"),
        *(word for text in script for word in ("--at", text)),
        cwd=cwd,
    )
    return only_run(cwd)


def test_a_record_is_seen_as_it_is(run: Path) -> None:
    sight = Sight(run)
    sight.read(Feed(run))
    sight.settle()
    rows = branches.in_force(run_directory.read_rows(run), run_directory.read_events(run)[0])
    assert np.array_equal(sight.track.column("loss"), rows["loss"])
    assert sight.stage == "finished"
    assert sight.over
    assert sight.preset == "iris"
    assert sight.status.step == rows["step"][-1]
    assert sight.status.in_force.optimizer == "adam"
    assert sight.status.in_force.lr == pytest.approx(float(rows["lr"][-1]))
    scene = sight.scene()
    assert [mark.symbol for mark in scene.marks] == ["l"]
    assert len(scene.validation) == 10
    assert scene.ahead == ()


def test_reading_again_adds_nothing(run: Path) -> None:
    sight, feed = Sight(run), Feed(run)
    sight.read(feed)
    before = len(sight.track), sight.story.count, sight.track.version
    sight.read(feed)
    assert (len(sight.track), sight.story.count, sight.track.version) == before


def test_the_rate_ahead_is_that_of_the_plan() -> None:
    points = ahead(sights.status(900))
    assert points[0][0] == 900
    assert points[-1] == (2000, rate_plan.rate(sights.PLAN, sights.END))
    for step, rate in points:
        assert rate == pytest.approx(rate_plan.rate(sights.PLAN, Position(step, step / sights.EPOCH)))
    assert ahead(Status(pid=1, run="r")) == ()
    assert ahead(sights.status(2000)) == ()


def test_a_host_that_waits_says_why() -> None:
    sight = sights.made(900)
    sight.take(status=Status(pid=1, run="r", stage="paused", error="training waits: disk full"))
    assert [entry.text for entry in sight.newest(1)] == ["training waits: disk full"]


def test_a_picture_shows_the_console(run: Path, tmp_path: Path) -> None:
    to_svg(run, tmp_path / "a.svg", (120, 40))
    text = (tmp_path / "a.svg").read_text(encoding="utf-8").replace("\xa0", " ")
    for part in ("iris", "finished", "loss", "accuracy", "in force", "timeline", "undo", "space"):
        assert part in text


def test_what_is_drawn_dot_by_dot_has_its_colour(run: Path, tmp_path: Path) -> None:
    to_svg(run, tmp_path / "a.svg", (120, 40))
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    classes = set(re.findall(r'<path class="([^"]+)"', text))
    assert classes
    assert all(f".{name} {{" in text for name in classes)
    assert "font-face" not in text
    assert re.search("[\u2801-\u28ff]|terminal-", text) is None

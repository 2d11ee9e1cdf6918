"""What a run's events tell, kept up to date one by one."""

from pathlib import Path

import pytest
from support.process import only_run, train

from trainconsole.engine.protocol.events import AnyEvent, CommandApplied, CommandRejected, EpochEnded
from trainconsole.engine.record import run_directory
from trainconsole.engine.runs import branches
from trainconsole.tui.state.event_history import Story


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[AnyEvent]:
    """Of a real run with commands, an undo and a rewind."""
    cwd: Path = tmp_path_factory.mktemp("story")
    script = ["epoch 3: lr x0.5", "epoch 5: optimizer sgd lr=0.01", "epoch 6: undo", "epoch 8: rewind best"]
    train(
        *("--preset", "iris", "--set", "epochs=10", "--threads", "1"),
        *(word for text in script for word in ("--at", text)),
        cwd=cwd,
    )
    return run_directory.read_events(only_run(cwd))[0]


def test_one_by_one_is_the_same_as_all_at_once(events: list[AnyEvent]) -> None:
    story = Story()
    for place in range(len(events)):
        story.take(events[place : place + 1])
        seen = events[: place + 1]
        assert list(story.epochs) == branches.epochs_in_force(seen)
        assert story.forks == branches.forks(seen)
    assert story.ending is events[-1]
    assert story.best == [event for event in events if isinstance(event, EpochEnded)][-1].best


def test_the_marks_are_the_commands_in_force(events: list[AnyEvent]) -> None:
    story = Story()
    story.take(events)
    expected = [(step, text) for step, text, _ in branches.lineage(events)]
    assert [(change.step, change.command) for change in story.changes] == expected
    assert "optimizer sgd lr=0.01" not in [text for _, text in expected]


def test_a_request_is_open_until_it_is_answered() -> None:
    story = Story()
    story.request("a", "lr x2")
    story.request("b", "lr 200")
    assert [entry.kind for entry in story.newest(5)] == ["requested", "requested"]
    assert [entry.text for entry in story.newest(1)] == ["lr 200"]
    assert story.waits
    story.take([CommandApplied(step=4, branch=0, command="lr x2", id="a", origin="console")])
    story.take([CommandRejected(step=5, branch=0, command="lr 200", id="b", origin="console", reason="no")])
    assert [(entry.kind, entry.step) for entry in story.newest(5)] == [("rejected", 5), ("applied", 4)]
    assert not story.waits


def test_an_answer_that_overtook_its_request_is_not_waited_for() -> None:
    story = Story()
    story.take([CommandApplied(step=4, branch=0, command="lr x2", id="a", origin="ctl")])
    assert [entry.kind for entry in story.newest(5)] == ["applied"]


def test_nobody_answers_a_dead_host() -> None:
    story = Story()
    story.request("a", "lr x2")
    story.abandon("the host is gone")
    (entry,) = story.newest(5)
    assert (entry.kind, entry.detail) == ("rejected", "the host is gone")

"""What waits to be served: its order, what one boundary takes, and that it is on the disk before a step."""

import os
import queue
import threading
from pathlib import Path

import pytest
from support.running import Ear, run

from trainconsole.engine.boundary import command_queue
from trainconsole.engine.boundary.command_queue import Waiting
from trainconsole.engine.protocol.commands import Interrupt, Request
from trainconsole.engine.training.trainer import Trainer


class Clock:
    """Stands still until it is moved."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(command_queue, "time", made)
    monkeypatch.setattr(command_queue, "LONGEST", 0.05)
    return made


def line(*texts: str) -> Waiting:
    inbox: command_queue.Inbox = queue.SimpleQueue()
    for text in texts:
        signal = Interrupt(signal=text)
        inbox.put(signal if text.startswith("SIG") else Request(id=text, origin="test", command=text))
    return Waiting(inbox)


def boundary(made: Waiting, **how: bool) -> list[str]:
    """What one boundary serves."""
    served = []
    while (asked := made.next(**how)) is not None:
        served.append(asked.signal if isinstance(asked, Interrupt) else asked.command)
    made.turn()
    return served


def test_in_the_order_received(clock: Clock) -> None:
    texts = ["lr 1", "pause", "lr 2", "SIGTERM", "resume", "stop", "undo"]
    assert boundary(line(*texts)) == texts


def test_a_boundary_takes_so_many_and_the_rest_later(clock: Clock) -> None:
    texts = [f"lr {n}" for n in range(3 * command_queue.MOST - 1)]
    made = line(*texts)
    sizes = [len(boundary(made)) for _ in range(4)]
    assert sizes == [command_queue.MOST, command_queue.MOST, command_queue.MOST - 1, 0]


def test_a_boundary_takes_so_long(clock: Clock) -> None:
    made = line(*[f"lr {n}" for n in range(9)])
    made.next()
    clock.now += 1.1 * command_queue.LONGEST
    assert made.next() is None


@pytest.mark.parametrize(("took", "rest"), [(0.2, 0.2), (30.0, command_queue.REST)])
def test_training_then_has_as_long_to_itself(clock: Clock, took: float, rest: float) -> None:
    made = line(*[f"lr {n}" for n in range(9)])
    made.next()
    clock.now += took
    made.turn()
    clock.now += 0.9 * rest
    assert boundary(made) == []
    clock.now += 0.2 * rest
    assert len(boundary(made)) == 8


def test_what_was_not_cut_short_needs_no_rest(clock: Clock) -> None:
    made = line("lr 1")
    made.next()
    clock.now += 10.0
    made.turn()
    made.put_back(Request(id="a", origin="test", command="lr 2"))
    assert boundary(made) == ["lr 2"]


def test_control_overtakes_a_flood_in_its_own_order(clock: Clock) -> None:
    flood = [f"lr {n}" for n in range(command_queue.MOST + 5)]
    made = line(*flood, " resume", "pause ", "lr 9", "stop best", "SIGINT")
    first = boundary(made)
    assert first == [*flood[: command_queue.MOST], " resume", "pause ", "stop best", "SIGINT"]
    assert boundary(made) == [*flood[command_queue.MOST :], "lr 9"]


def test_a_flood_of_control_is_bounded_too(clock: Clock) -> None:
    made = line(*["lr 1"] * command_queue.MOST, *["pause", "resume"] * command_queue.MOST)
    assert len(boundary(made)) == 2 * command_queue.MOST


def test_where_no_step_can_be_done_there_is_no_bound(clock: Clock) -> None:
    made = line(*["lr 1"] * 5 * command_queue.MOST)
    assert len(boundary(made, steps=False)) == 5 * command_queue.MOST


def test_while_a_run_catches_up_only_control_is_served(clock: Clock) -> None:
    made = line("lr 1", "pause", "undo", "next 3", "stop")
    assert boundary(made, control=True) == ["pause", "next 3", "stop"]
    assert boundary(made) == ["lr 1", "undo"]


def test_an_end_is_seen_and_taken_ahead(clock: Clock) -> None:
    made = line("lr 1", "stop best", "pause")
    assert not made.ends()
    made = line("lr 1", "stop best", "stop  last", "lr 2")
    assert made.ends()
    assert made.take_end() == Request(id="stop  last", origin="test", command="stop  last")
    assert [request.command for request in made.left()] == ["lr 1", "stop best", "lr 2"]


def test_all_of_a_boundary_is_on_the_disk_before_the_next_step_and_before_any_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One fsync of the events for all of it."""
    told: list[str] = []
    sync, step, put = os.fsync, Trainer.train_step, Ear.put

    def fsync(fd: int) -> None:
        sync(fd)
        told.append(Path(os.readlink(f"/proc/self/fd/{fd}")).name)

    def train_step(self: Trainer) -> object:
        told.append("step")
        return step(self)

    def answer(self: Ear, event: object) -> None:
        told.append(type(event).__name__)
        put(self, event)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Trainer, "train_step", train_step)
    monkeypatch.setattr(Ear, "put", answer)
    commands = [f"lr {n / 100}" for n in range(1, 11)]
    ran = run(tmp_path, "iris", "epochs=1", after={3: [*commands, "lr 1e9", "set l1 0.1"]})
    assert len(ran.applied) == 11
    steps = [index for index, word in enumerate(told) if word == "step"]
    boundary_3 = [word for word in told[steps[2] : steps[3]] if word.startswith(("Command", "events"))]
    assert boundary_3 == ["events.jsonl", *["CommandApplied"] * 10, "CommandRejected", "CommandApplied"]
    assert ran.applied[0]["step"] == ran.applied[-1]["step"] == 3


def test_what_comes_while_a_long_boundary_ends_is_not_waited_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A paused run: `turn` takes in what has come, and `wait` then has nothing to wait for."""
    monkeypatch.setattr(command_queue, "LONGEST", 0.0)
    inbox: command_queue.Inbox = queue.SimpleQueue()
    waiting = command_queue.Waiting(inbox)
    inbox.put(Request(id="1", origin="test", command="lr 0.1"))
    assert waiting.next(steps=False)
    assert waiting.next(steps=False) is None
    inbox.put(Request(id="2", origin="test", command="lr 0.2"))
    waiting.turn()
    thread = threading.Thread(target=waiting.wait, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert waiting.next(steps=False)

"""A host in this process: its training thread, the queue of commands, and how a session ends."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from support.running import config, run_config

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.host.host import Host, Outcome
from trainconsole.engine.protocol.commands import Request
from trainconsole.engine.protocol.events import CommandApplied, CommandRejected, Event, Failed, Finished
from trainconsole.engine.record import run_directory
from trainconsole.engine.runs.launch import Launch, prepare

PATIENCE = 60
"""Seconds after which a host counts as stuck."""


def launch(folder, *assignments: str, at=()) -> Launch:
    chosen = config("iris", *assignments, at=at)
    return prepare(chosen, "test", runs=folder, data_dir=folder, device="cpu", threads=1, unattended=True)


@contextmanager
def hosted(prepared: Launch) -> Iterator[Host]:
    host = Host(prepared)
    host.start()
    try:
        yield host
    finally:
        host.interrupt("SIGTERM")
        list(heard(host))
        host.close()


def heard(host: Host) -> Iterator[Event]:
    """Events as they come, to the end."""
    while host.outcome is None or not host.outbox.empty():
        event = host.outbox.get(timeout=PATIENCE)
        if event is None:
            return
        yield event


def until(host: Host, kind: type[Event], count: int = 1) -> Event:
    for event in heard(host):
        if isinstance(event, kind):
            count -= 1
            if not count:
                return event
    raise AssertionError(f"no {kind.__name__}: {host.outcome}")


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_run_to_its_end(tmp_path):
    prepared = launch(tmp_path, at=["step 5: lr 0.01"])
    with hosted(prepared) as host:
        events = [*heard(host)]
        assert host.outcome == Outcome(0)
        assert events == run_directory.read_events(prepared.path)[0]
        assert isinstance(events[-1], Finished)
        assert host.status.stage == "finished"
        assert host.status.last_seq == events[-1].seq
    same = run_config(tmp_path, run_directory.read_config(prepared.path))
    assert same.last["weights_sha256"] == events[-1].weights_sha256


def test_commands_from_another_thread_are_answered_by_id(tmp_path):
    prepared = launch(tmp_path, "epochs=100000")
    with hosted(prepared) as host:
        host.send(Request(id="one", origin="me", command="pause"))
        assert until(host, CommandApplied).id == "one"
        stood = host.status.step
        host.send(Request(id="two", origin="me", command="set dropout 7"))
        refused = until(host, CommandRejected)
        assert (refused.id, refused.origin, refused.step) == ("two", "me", stood)
        host.send(Request(id="three", origin="me", command="lr 0.125"))
        assert until(host, CommandApplied).after == {"lr": 0.125}
        wait_for(lambda: host.status.stage == "paused" and host.status.in_force.values()["lr"] == 0.125)
        host.send(Request(id="four", origin="me", command="stop"))
        assert until(host, Finished).lineage == ((stood, "lr 0.125"), (stood, "stop"))
    assert host.outcome == Outcome(0)


@pytest.mark.parametrize(("signal", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_an_interrupt_between_two_steps(tmp_path, signal, code):
    prepared = launch(tmp_path, "epochs=100000")
    with hosted(prepared) as host:
        until(host, Event, 5)
        host.interrupt(signal)
        *_, last = heard(host)
    assert host.outcome == Outcome(code)
    assert (last.signal, last.step) == (signal, run_directory.read_rows(prepared.path)["step"][-1])
    state = checkpoint.load(prepared.path / last.checkpoint)
    assert state["position"]["step"] == last.step


def test_many_commands_at_once_lose_none(tmp_path):
    """Four threads, a hundred rates each: as many answers, rows whole, the lineage in the order applied."""
    prepared = launch(tmp_path, "epochs=100000")
    with hosted(prepared) as host:

        def ask(name: int) -> None:
            for number in range(100):
                host.send(
                    Request(id=f"{name}-{number}", origin="me", command=f"lr {1e-4 * (number + 1):.4f}")
                )

        askers = [threading.Thread(target=ask, args=(name,)) for name in range(4)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join(PATIENCE)
        until(host, CommandApplied, 400)
        host.send(Request(id="last", origin="me", command="stop"))
        finished = until(host, Finished)
    applied = [e for e in run_directory.read_events(prepared.path)[0] if isinstance(e, CommandApplied)]
    assert len({event.id for event in applied}) == 401
    assert [(event.step, event.command) for event in applied] == list(finished.lineage)
    for name in range(4):
        own = [event.id for event in applied if event.id.startswith(f"{name}-")]
        assert own == [f"{name}-{number}" for number in range(100)]


def test_a_start_that_fails_leaves_no_directory(tmp_path):
    prepared = launch(tmp_path, "model.name=nothere:Net")
    with hosted(prepared) as host:
        assert [*heard(host)] == []
    assert host.outcome is not None
    assert (host.outcome.code, prepared.path.exists()) == (2, False)
    assert "nothere" in host.outcome.error
    assert "Traceback" not in host.outcome.error


FAILING = """
import time
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, at=50, pause=0):
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.calls, self.at = 0, at
        time.sleep(pause)
    def forward(self, x):
        if self.training and torch.is_grad_enabled():
            self.calls += 1
            if self.calls == self.at:
                raise RuntimeError("no such luck")
        return self.layer(x)
"""


def test_a_failure_in_mid_run_keeps_the_record_whole(tmp_path, own_code):
    """Rows up to the event's step are on disk, host.log has the traceback."""
    name = own_code(FAILING)
    prepared = launch(tmp_path, f"model.name={name}:Net", "epochs=100")
    with hosted(prepared) as host:
        *_, last = heard(host)
    assert host.outcome is not None
    assert host.outcome.code == 1
    assert "no such luck" in host.outcome.error
    assert isinstance(last, Failed)
    assert "no such luck" in last.reason
    assert run_directory.read_rows(prepared.path)["step"].tolist() == list(range(1, last.step + 1))
    assert last.step in (48, 49)  # the look at the model's shapes may call it once
    log = (prepared.path / last.where).read_text()
    assert "Traceback" in log
    assert "no such luck" in log


def test_an_interrupt_while_setting_up_leaves_no_directory(tmp_path, own_code):
    name = own_code(FAILING)
    prepared = launch(tmp_path, f"model.name={name}:Net", "model.args={pause = 1.5}")
    with hosted(prepared) as host:
        wait_for(lambda: host.status.stage == "loading data")
        host.interrupt("SIGINT")
        assert host.outcome is not None
        assert host.outcome.code == 130
        assert not prepared.path.exists()
        assert host.outbox.get(timeout=PATIENCE) is None
    host._thread.join(PATIENCE)
    assert not prepared.path.exists()
    assert host.outcome.code == 130


def test_nothing_is_said_after_none(tmp_path):
    prepared = launch(tmp_path, "epochs=1")
    with hosted(prepared) as host:
        list(heard(host))
        host._thread.join(PATIENCE)
        with pytest.raises(queue.Empty):
            host.outbox.get(timeout=0.2)

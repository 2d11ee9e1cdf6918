"""Real processes that cannot save, or have no memory: each ends with its reason, or goes on."""

import os
import resource
from pathlib import Path

import pytest
from support.hosting import Hosts, events, until
from support.process import only_run, trainconsole

from trainconsole.engine.record import run_directory
from trainconsole.engine.transport.client import Client

SOURCE = """
import torch
from torch import nn

class Broken(nn.Linear):
    "The writer meets what nobody foresaw, from the twentieth step on."

    def __init__(self):
        super().__init__(4, 3)
        self.steps = 0

    def forward(self, x):
        self.steps += self.training
        if self.steps == 20:
            torch.save = self.refuse
        return super().forward(x)

    @staticmethod
    def refuse(*args, **options):
        raise LookupError("no such codec")

class Turning(nn.Linear):
    "Its state holds a function from the twentieth step on."

    def __init__(self):
        super().__init__(4, 3)
        self.steps = 0

    def forward(self, x):
        self.steps += self.training
        return super().forward(x)

    def get_extra_state(self):
        return {"steps": self.steps if self.steps < 20 else len}

    def set_extra_state(self, state):
        self.steps = state["steps"]

class Hungry(nn.Linear):
    "A step needs memory that is not there, from the twentieth on."

    def __init__(self):
        super().__init__(4, 3)
        self.steps = 0

    def forward(self, x):
        self.steps += self.training
        return torch.empty(2**60) if self.steps == 20 else super().forward(x)
"""

REASONS = {
    "Broken": "cannot be written: LookupError: no such codec",
    "Hungry": "out of memory, a smaller batch needs less (RuntimeError: [enforce fail",
    "Turning": "model['_extra_state']['steps'] is a function (len), which a checkpoint cannot keep",
}


@pytest.mark.parametrize("name", REASONS)
def test_a_run_that_can_no_longer_be_saved_ends_with_the_reason(tmp_path: Path, name: str) -> None:
    (tmp_path / "nets.py").write_text(SOURCE, encoding="utf-8")
    clock = ["--set", "checkpoint.epoch_seconds=0", "--set", "epochs=100000", "--threads", "1"]
    ended = trainconsole(
        "--preset", "iris", "--set", f"model.name=nets:{name}", *clock, "--no-ui", cwd=tmp_path
    )
    assert ended.code == 1
    assert REASONS[name] in ended.err
    assert "Traceback" not in ended.err
    run = only_run(tmp_path)
    failed = events(run)[-1]
    assert (failed["type"], REASONS[name] in failed["reason"]) == ("failed", True)
    assert not [name for name in os.listdir(run / "checkpoints") if name.startswith(".")]
    evaluated = trainconsole("evaluate", run.name, cwd=tmp_path)
    assert evaluated.code == 0, evaluated.err


def test_without_memory_a_snapshot_is_refused_and_training_goes_on(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each large tensor has pages of its own, given back at once: what is free is what can be had.
    for name, value in {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": str(2**20)}.items():
        monkeypatch.setenv(name, value)
    wide = ["--set", "model.hidden=[2500, 2500]", "--set", "checkpoint.epoch_seconds=1e9"]
    process, run = hosts.training(*wide, preset="iris")
    with Client.of(run) as client:
        assert asked(client, run, "lr x0.9")["type"] == "command_applied"
        until(lambda: [event for event in events(run) if event["type"] == "epoch"], "best copy")
        limits = resource.prlimit(process.pid, resource.RLIMIT_AS)
        resource.prlimit(process.pid, resource.RLIMIT_AS, (peak(process.pid) + 2**26, limits[1]))
        # Some may still find room in what is free within the process.
        answers = [asked(client, run, "lr x0.99") for _ in range(8)]
        refused = [answer for answer in answers if answer["type"] == "command_rejected"]
        assert refused
        assert {answer["reason"] for answer in refused} == {
            "no room for the snapshot that undo needs: out of memory"
        }
        before = run_directory.count_rows(run)
        until(lambda: run_directory.count_rows(run) > before + 5, "step without memory")
        resource.prlimit(process.pid, resource.RLIMIT_AS, limits)
        assert asked(client, run, "lr x0.9")["type"] == "command_applied"
        assert asked(client, run, "undo")["type"] == "command_applied"
        assert asked(client, run, "stop last")["type"] == "command_applied"
    assert process.wait(timeout=120) == 0


def asked(client: Client, run: Path, text: str) -> dict[str, object]:
    """The event that answers a command."""
    name = client.send(text, "test")
    found = until(
        lambda: [event for event in events(run) if event.get("id") == name], f"answer to {text}", 60
    )
    return dict(found[0])


def peak(pid: int) -> int:
    """Bytes of address space that a process has had at most."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmPeak")).split()[1])

"""Real processes that die or fail at a chosen moment, go on, and are replayed without anybody there."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.hosting import Hosts, events, until
from support.process import PATIENCE, Ended, command, only_run, train, trainconsole

from trainconsole.engine.boundary.command_queue import MOST
from trainconsole.engine.record import run_directory
from trainconsole.engine.transport.client import Client

OWN = '''
"""Gives NaN at one training row; dies in the test evaluation, which comes after the last checkpoint."""
import os, signal
from pathlib import Path
import torch
from torch import nn

def load():
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(60, 4, generator=g), torch.arange(60) % 3
    clean, test = x[:20].clone(), x[20:40].clone()
    x[26, 2], test[:, 2] = 777.0, 999.0
    return (x, y), (clean, y[:20]), (test, y[20:40])

class Net(nn.Linear):
    def __init__(self):
        super().__init__(4, 3)
    def forward(self, x):
        if (x[:, 2] == 999).any() and Path("armed").exists():
            Path("armed").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        spoilt = (x[:, 2:3] == 777) & self.training & Path("spoilt").exists()
        return torch.where(spoilt, torch.nan, super().forward(x))
'''
ARGS = ["--preset", "iris", "--threads", "1", "--no-ui", "--json"]
SETTINGS = ["data.name=own:load", "data.scaling=none", "model.name=own:Net", "batch_size=10"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path


def given(*settings: str) -> list[str]:
    return [word for setting in (*SETTINGS, *settings) for word in ("--set", setting)]


def begin(folder: Path, *settings: str) -> Ended:
    return trainconsole(*ARGS, *given(*settings), cwd=folder)


def replays(folder: Path) -> None:
    """`identical`, exit code 0, and nobody was waited for."""
    again = trainconsole("replay", only_run(folder).name, "--no-ui", cwd=folder)
    assert again.code == 0, again.err
    assert "identical: sha256" in again.out


def test_killed_between_the_last_checkpoint_and_the_end_of_early_stopping(folder: Path) -> None:
    (folder / "armed").touch()
    killed = begin(folder, "epochs=50", "early_stopping.patience=3", "early_stopping.min_delta=100")
    assert killed.code == -9
    assert not (folder / "armed").exists()
    written = run_directory.read_events(only_run(folder))[0]
    stop = max(event.step for event in written)
    assert stop == written[-1].step < 50 * 6
    resumed = train("resume", "last", cwd=folder)
    assert (resumed.events[-1]["reason"], resumed.events[-1]["step"]) == ("early_stopping", stop)
    assert [event["epoch"] for event in resumed.of("epoch")] == []
    longer = train("resume", "last", "--set", "early_stopping.patience=5", cwd=folder)
    assert (longer.events[-1]["step"], longer.events[-1]["lineage"]) == (
        stop + 12,
        [[stop, "set patience 5"]],
    )
    replays(folder)


def test_a_failed_run_that_was_resumed_is_replayed(folder: Path) -> None:
    (folder / "spoilt").touch()
    failed = begin(folder, "epochs=1")
    assert failed.code == 1
    step = failed.events[-1]["step"]
    resumed = train("resume", "last", cwd=folder)
    assert resumed.events[-1]["lineage"] == [[step, "resume"]]
    replays(folder)


def test_a_pause_that_a_person_ended_is_replayed_by_nobody(folder: Path, hosts: Hosts) -> None:
    """The pause is ended as the space bar ends it, by a command that comes while the run waits."""
    (folder / "spoilt").touch()
    settings = [
        word for setting in (*SETTINGS, "on_nonfinite=pause", "epochs=1") for word in ("--set", setting)
    ]
    process = hosts.spawn(*command(*ARGS, *settings))
    until(lambda: any((folder / "runs").glob("*/events.jsonl")), "record")
    run = only_run(folder)
    until(lambda: any(event["type"] == "paused" for event in events(run)), "pause")
    with Client.of(run) as client:
        client.send("resume", "test")
        assert process.wait(PATIENCE) == 0
    (passed,) = [event for event in events(run) if event.get("passes")]
    assert (passed["command"], passed["origin"]) == ("resume", "test")
    replays(folder)


def test_a_flood_of_commands_leaves_room_for_steps(folder: Path, hosts: Hosts) -> None:
    """Each of four clients sends 400 at once: at most MOST of them come between two steps."""
    process, run = hosts.training()
    clients = [Client.of(run) for _ in range(4)]
    first = run_directory.count_rows(run)
    asked = [client.send(f"lr {0.001 + n / 1e6:g}", "flood") for n in range(400) for client in clients]
    until(lambda: len(answered(run, asked)) == len(asked), "answer to each")
    for client in clients:
        client.close()
    with Client.of(run) as client:
        client.send("stop", "flood")
        assert process.wait(PATIENCE) == 0
    applied = [event["step"] for event in answered(run, asked) if event["type"] == "command_applied"]
    assert len(applied) == len(asked)
    assert max(Counter(applied).values()) <= MOST
    assert run_directory.count_rows(run) >= first + len(applied) // MOST - 1


def answered(run: Path, asked: list[str]) -> list[dict[str, Any]]:
    return [event for event in events(run) if event.get("id") in asked]

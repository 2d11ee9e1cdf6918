"""What lets a run go on past a withheld update is in its lineage, whichever way it went on: it replays."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.resuming import go_on, live, start
from support.running import Ran, Wish, run_config

from trainconsole.engine.data.loading.batches import epoch_order
from trainconsole.engine.optim.guard import DeviceGuard
from trainconsole.engine.protocol.commands import Interrupt
from trainconsole.engine.reporting import readback
from trainconsole.engine.runs.replay import compare, recipe, unattended
from trainconsole.engine.training import trainer

BAD = 26
"""The row at which the model gives NaN, in every epoch."""

SPOILT = f"""
import torch
from torch import nn

def load():
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(60, 4, generator=g), torch.arange(60) % 3
    clean = x[:20].clone(), y[:20]
    x[{BAD}, 2] = 777.0
    return (x, y), clean, clean

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))
    def forward(self, x):
        spoilt = (x[:, 2:3] == 777) & self.training
        return torch.where(spoilt, torch.nan, super().forward(x))
"""
STEPS = 6
FIRST, SECOND, THIRD = (
    STEPS * (epoch - 1) + epoch_order(60, 0, epoch).tolist().index(BAD) // 10 + 1 for epoch in (1, 2, 3)
)

Steered = tuple[dict[int, list[Wish]], list[Wish]]


@pytest.fixture(params=["host", "device"])
def options(request: pytest.FixtureRequest, own_code: Callable[[str], str], monkeypatch) -> list[str]:
    """With both guards, the one for accelerators forced upon the CPU; read back at the very end."""
    if request.param == "device":
        monkeypatch.setattr(trainer, "build_guard", lambda m, d, sticky: DeviceGuard(m, d, sticky=sticky))
        monkeypatch.setattr(readback, "INTERVAL", 1e9)
    name = own_code(SPOILT)
    return [f"data.name={name}:load", f"model.name={name}:Net", "batch_size=10", "epochs=3"]


def replays(ran: Ran, folder: Path) -> Ran:
    """Nobody is there, and it is identical all the same."""
    wanted = recipe(ran.path)
    again = run_config(folder, unattended(wanted.config))
    assert compare(ran.path, again.path, wanted) == (True, f"identical: sha256 {wanted.weights_sha256}")
    return again


HANDS: dict[str, Steered] = {
    "resume": ({}, ["resume"] * 3),
    "next": ({}, ["next 2", "resume", "resume", "next 9"]),
    "steered first": ({}, ["lr 0.02", "set l1 0.001", "resume", "lr x0.5", "resume", "resume"]),
    "steered after": ({FIRST + 1: ["lr 0.02"]}, ["resume", "resume", "resume"]),
    "undone": ({FIRST + 1: ["undo"]}, ["lr 0.02", "resume", "lr 0.03", "resume", "resume", "resume"]),
    "rewound to the trouble": (
        {FIRST + 2: ["lr 0.5", "rewind here"]},
        ["checkpoint here", "resume", "resume", "resume", "resume"],
    ),
    "rewound beyond": ({SECOND + 2: [f"rewind step {SECOND + 1}"]}, ["resume"] * 4),
    "stopped there": ({}, ["resume", "stop last"]),
}


@pytest.mark.parametrize("hand", HANDS)
def test_however_it_was_passed(options: list[str], tmp_path: Path, hand: str) -> None:
    after, waits = HANDS[hand]
    ran = live(start(tmp_path / "a", "iris", *options, "on_nonfinite=pause"), after=after, waits=waits)
    assert ran.last["type"] == "finished"
    assert [FIRST, "resume"] in ran.last["lineage"]
    again = replays(ran, tmp_path / "b")
    assert again.last["lineage"] == ran.last["lineage"]


def test_an_ordinary_pause_is_in_no_lineage(options: list[str], tmp_path: Path) -> None:
    waits: list[Wish] = ["resume", "pause", "next 1", "pause", "resume", "resume", "resume"]
    at = [f"step {FIRST + 1}: pause"]
    ran = live(start(tmp_path, "iris", *options, "on_nonfinite=pause", at=at), waits=waits)
    assert ran.last["lineage"] == [[step, "resume"] for step in (FIRST, SECOND, THIRD)]
    went_on = [event for event in ran.applied if event["command"] in ("resume", "next 1")]
    assert [event["passes"] for event in went_on] == [True, False, False, True, True]


def test_a_run_that_failed_goes_on_when_it_is_resumed(options: list[str], tmp_path: Path) -> None:
    ran = live(start(tmp_path / "a", "iris", *options, "on_nonfinite=fail"))
    for step in (FIRST, SECOND, THIRD):
        assert (ran.last["type"], ran.last["step"]) == ("failed", step)
        replays(ran, tmp_path / f"failed-{step}")
        ran = live(go_on(ran))
    assert ran.last["lineage"] == [[step, "resume"] for step in (FIRST, SECOND, THIRD)]
    replays(ran, tmp_path / "b")


def test_a_run_interrupted_in_such_a_pause_goes_on_when_it_is_resumed(
    options: list[str], tmp_path: Path
) -> None:
    launch = start(tmp_path / "a", "iris", *options, "on_nonfinite=pause")
    ran = live(launch, waits=["lr 0.02", Interrupt(signal="SIGTERM")])
    replays(ran, tmp_path / "interrupted")
    ran = live(go_on(ran), waits=["resume", "resume"])
    assert ran.last["lineage"][:2] == [[FIRST, "lr 0.02"], [FIRST, "resume"]]
    replays(ran, tmp_path / "b")


@pytest.mark.parametrize("later", [0, 1, STEPS + 1])
def test_killed_after_it_was_passed(
    options: list[str], tmp_path: Path, later: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readback, "INTERVAL", 0.0)
    launch = start(tmp_path / "a", "iris", *options, "on_nonfinite=pause")
    waits = ["lr 0.02", "checkpoint", "resume", *["resume"] * (later > STEPS - 2)]
    ran = live(launch, waits=waits, dies=FIRST + later + 1)
    assert "resume" in [event["command"] for event in ran.applied]
    whole = live(go_on(ran), waits=["resume"] * 3)
    undisturbed = live(
        start(tmp_path / "c", "iris", *options, "on_nonfinite=pause"),
        waits=["lr 0.02", "resume", "resume", "resume"],
    )
    assert whole.last["weights_sha256"] == undisturbed.last["weights_sha256"]
    assert whole.last["lineage"] == undisturbed.last["lineage"]
    replays(whole, tmp_path / "b")


def test_where_nothing_passes_it_nobody_waits_for_ever(options: list[str], tmp_path: Path) -> None:
    ran = live(start(tmp_path / "a", "iris", *options, "on_nonfinite=pause"), waits=["resume"] * 3)
    wanted = recipe(ran.path)
    without = replace(unattended(wanted.config), commands=())
    again = run_config(tmp_path / "b", without)
    assert (again.last["type"], again.last["step"]) == ("failed", FIRST)

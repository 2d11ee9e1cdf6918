from collections.abc import Callable
from pathlib import Path

import pytest
from support.resuming import go_on, live, repeated, start
from support.running import Ear, Hand, Ran, run

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.status import Status
from trainconsole.engine.runs.launch import Launch
from trainconsole.engine.runs.replay import compare, recipe
from trainconsole.engine.session import setup

FAILS = """
import random
import numpy as np
import torch
from pathlib import Path
from torch import nn
from torch.nn import functional as F

FLAG = Path({0!r})

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.norm, self.out = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)
        self.drop, self.calls = nn.Dropout(0.5), 0
    def forward(self, x):
        x = self.drop(torch.relu(self.norm(self.a(x))))
        if self.training:
            self.calls += 1
            x = x * (1 + np.random.rand() + random.random())
            if self.calls == 9 and FLAG.exists():
                raise ValueError("no connection")
        return self.out(x)

class Opt(torch.optim.SGD):
    calls = 0
    def step(self, closure=None):
        super().step()
        self.calls += 1
        if self.calls == 9 and FLAG.exists():
            raise ValueError("half way")

class Rows(torch.utils.data.Dataset):
    reads = 0
    classes = ("a", "b", "c")
    def __len__(self): return 96
    def __getitem__(self, i):
        Rows.reads += 1
        if Rows.reads > 800 and FLAG.exists():
            raise OSError(5, "Input/output error")
        return torch.tensor([i % 5, i % 7, i % 3, 1.0]), i % 3
"""


def broken(launch: Launch) -> Ran:
    """A session to its failure, as the host takes it."""
    hand, heard = Hand({}, ()), Ear(launch.path)
    trainer = setup.set_up(launch, lambda stage: None)
    hand.trainer = trainer
    status = Status(pid=1, run=launch.path.name)
    loop, report = setup.begin(trainer, launch, status, heard, hand)  # type: ignore[arg-type]
    try:
        with pytest.raises((ValueError, OSError, UserError)) as why:
            loop.run()
        loop.fail(str(why.value))
    finally:
        loop.close()
    return Ran(launch.path, launch, trainer, report.status, heard)


@pytest.mark.parametrize("chosen", ["model.name={}:Net", "data.name={}:Rows"])
@pytest.mark.parametrize("at", [[], ["step 4: optimizer sgd lr=0.1"]])
def test_a_failure_saves_the_last_good_step_and_a_resume_goes_on_exactly(
    own_code: Callable[[str], str], tmp_path: Path, chosen: str, at: list[str]
) -> None:
    """With generators and buffers as they were at its boundary: as if nothing had happened."""
    flag = tmp_path / "flag"
    name = own_code(FAILS.format(str(flag)))
    assignments = (f"model.name={name}:Net", chosen.format(name), "epochs=3")
    flag.touch()
    failed = broken(start(tmp_path, "iris", *assignments, at=at))
    assert (failed.last["type"], failed.last["checkpoint"]) == ("failed", "checkpoints/last.pt")
    position = failed.checkpoint("last")["position"]
    assert position["step"] == failed.last["step"] == failed.rows["step"][-1] > 4
    flag.unlink()
    resumed = live(go_on(failed))
    plain = run(tmp_path, "iris", *assignments, at=at)
    assert resumed.last["weights_sha256"] == plain.last["weights_sha256"]
    again = repeated(resumed, tmp_path / "again")
    assert compare(resumed.path, again.path, recipe(resumed.path))[0]


def test_a_failure_within_the_update_leaves_no_weights_of_any_step(
    own_code: Callable[[str], str], tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    name = own_code(FAILS.format(str(flag)))
    flag.touch()
    failed = broken(start(tmp_path, "iris", f"optimizer.name={name}:Opt"))
    assert (failed.last["checkpoint"], failed.last["step"]) == ("", 8)
    flag.unlink()
    resumed = live(go_on(failed))
    plain = run(tmp_path, "iris", f"optimizer.name={name}:Opt")
    assert resumed.last["weights_sha256"] == plain.last["weights_sha256"]

"""A loss of the user's own that is a Module: its parameters are trained, what it keeps is saved."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.resuming import go_on, live, repeated, start
from support.running import Ran, config, run, run_config
from torch import nn
from torch.nn import functional as F

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.record.scalars import ScalarReader
from trainconsole.engine.runs.launch import reopen
from trainconsole.engine.runs.replay import compare, recipe
from trainconsole.engine.session.evaluation import evaluate

LOSSES = """
import torch
from torch import nn
from torch.nn import functional as F

class Learned(nn.Module):
    def __init__(self):
        super().__init__()
        self.temperature = nn.Parameter(torch.tensor(1.0))
        self.frozen = nn.Parameter(torch.tensor(2.0), requires_grad=False)
    def forward(self, o, t):
        return F.cross_entropy(o / self.temperature, t)

class Balanced(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.ones(3))
    def forward(self, o, t):
        if self.training:
            self.seen += torch.bincount(t, minlength=3)
        return F.cross_entropy(o, t, self.seen.sum() / self.seen)

class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.learned, self.balanced = Learned(), Balanced()
    def forward(self, o, t):
        return self.learned(o, t) + self.balanced(o, t)

def plain():
    return lambda o, t: F.cross_entropy(o, t)

def parted():
    def compute(o, t):
        loss = F.cross_entropy(o, t)
        return {"loss": loss, "twice": 2 * loss, "ones": torch.ones(3)}
    return compute

def without():
    return lambda o, t: {"total": F.cross_entropy(o, t)}
"""


@pytest.fixture
def loss(own_code: Callable[[str], str]) -> str:
    return f"loss.name={own_code(LOSSES)}"


def loss_state(ran: Ran, name: str = "last") -> dict[str, Any]:
    state: dict[str, Any] = ran.checkpoint(name)["loss"]
    return state


def test_its_parameters_are_trained_as_in_a_loop_by_hand(loss: str, tmp_path: Path) -> None:
    extra = ("optimizer.name=sgd", "optimizer.lr=0.5", "optimizer.momentum=0.9", "epochs=2")
    ran = run(tmp_path, "iris", f"{loss}:Learned", *extra, "model.hidden=[]")
    trainer = run_config(tmp_path, config("iris", *extra, "epochs=1", "model.hidden=[]")).trainer
    torch.manual_seed(0)
    net, temperature = nn.Linear(4, 3), nn.Parameter(torch.tensor(1.0))
    sgd = torch.optim.SGD([*net.parameters(), temperature], 0.5, momentum=0.9)
    for epoch in (1, 2):
        order = trainer.data.order(0, epoch)
        for x, y in trainer.data.train.batches(order, 0, ran.trainer.config.batch_size):
            sgd.zero_grad()
            F.cross_entropy(net(x) / temperature, y).backward()
            sgd.step()
    assert float(loss_state(ran)["temperature"]) == pytest.approx(temperature.item(), rel=1e-5)
    assert float(loss_state(ran)["temperature"]) != 1.0
    assert float(loss_state(ran)["frozen"]) == 2.0
    assert torch.allclose(ran.trainer.model.get_parameter("out.weight"), net.weight, rtol=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop", "adagrad"])
def test_what_it_learned_goes_on_after_a_kill_an_undo_and_a_swap(
    loss: str, tmp_path: Path, optimizer: str
) -> None:
    chosen = (f"{loss}:Both", f"optimizer.name={optimizer}", "regularisation.clip.norm=1")
    plain = run(tmp_path, "iris", *chosen, at=["step 9: optimizer adamw lr=0.01"])
    assert float(loss_state(plain)["balanced.seen"].sum()) == 3 + 4 * 96
    killed = live(
        start(tmp_path, "iris", *chosen, at=["step 9: optimizer adamw lr=0.01"]),
        after={7: ["checkpoint"], 8: ["lr 0.7"], 9: []},
        dies=8,
    )
    resumed = live(go_on(killed))
    back = run(
        tmp_path, "iris", *chosen, at=["step 9: optimizer adamw lr=0.01"], after={5: ["lr 0.7"], 8: ["undo"]}
    )
    for ran in (resumed, back):
        assert ran.last["weights_sha256"] == plain.last["weights_sha256"]
        for name, value in loss_state(plain).items():
            assert torch.equal(loss_state(ran)[name], value), name


def test_a_replay_trains_it_too(loss: str, tmp_path: Path) -> None:
    ran = run(tmp_path / "a", "iris", f"{loss}:Both", after={5: ["lr x3"], 9: ["stop last"]})
    again = repeated(ran, tmp_path / "b")
    assert compare(ran.path, again.path, recipe(ran.path))[0]


def test_the_best_weights_are_measured_with_the_loss_of_their_epoch(loss: str, tmp_path: Path) -> None:
    extra = ("optimizer.lr=0.1", "early_stopping.patience=50", "epochs=8")
    ran = run(tmp_path, "iris", f"{loss}:Both", *extra)
    assert ran.last["best"]["epoch"] < 8
    found = evaluate(reopen(ran.path, default_data_dir=ran.path))
    assert found.metrics == ran.last["test"]


def test_its_parameters_are_counted_and_stand_in_the_layer_table(loss: str, tmp_path: Path) -> None:
    learned, plain = (
        run(tmp_path, "iris", f"{loss}:{name}", "epochs=1").of("started")[0] for name in ("Learned", "plain")
    )
    assert learned["parameters"] == plain["parameters"] + 1
    assert learned["layers"][-1] == {"name": "loss", "kind": "Learned", "shape": [], "parameters": 1}
    assert plain["layers"] == learned["layers"][:-1]


def test_a_withheld_update_leaves_its_buffers_alone(
    loss: str, own_code: Callable[[str], str], tmp_path: Path
) -> None:
    spoilt = own_code(
        "import torch\n"
        "def load():\n"
        "    x, y = torch.ones(30, 4), torch.arange(30) % 3\n"
        "    x[7] = float('nan')\n"
        "    return (x, y), (x[:6], y[:6])\n"
    )
    ran = run(
        tmp_path,
        "iris",
        f"{loss}:Balanced",
        f"data.name={spoilt}:load",
        "batch_size=10",
        "epochs=1",
        "on_nonfinite=skip",
        "data.split.validation=0",
    )
    assert [math.isnan(value) for value in ran.rows["loss"]].count(True) == 1
    assert float(loss_state(ran)["seen"].sum()) == 3 + 20


def test_a_checkpoint_of_an_earlier_version_says_nothing_of_the_loss(loss: str, tmp_path: Path) -> None:
    ran = run(tmp_path, "iris", f"{loss}:Balanced", "epochs=1")
    state = ran.trainer.state_dict()
    del state["loss"]
    ran.trainer.load_state_dict(state)
    assert ran.trainer.step == 6


def test_what_else_a_loss_gives_is_recorded_by_name(loss: str, tmp_path: Path) -> None:
    plain = run(tmp_path / "a", "iris", f"{loss}:plain", "epochs=2")
    parted = run(tmp_path / "b", "iris", f"{loss}:parted", "epochs=2")
    assert parted.last["weights_sha256"] == plain.last["weights_sha256"]
    found = dict(ScalarReader(parted.path).read())
    assert found["twice"]["step"].tolist() == parted.rows["step"].tolist()
    assert found["twice"]["value"].tolist() == (2 * parted.rows["loss"]).tolist()
    assert set(found["ones"]["value"].tolist()) == {1.0}


def test_a_dict_without_a_loss_is_told(loss: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a dict without 'loss'"):
        run(tmp_path, "iris", f"{loss}:without")

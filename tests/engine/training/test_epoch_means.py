"""An epoch is averaged over its rows: a short last batch counts as what it is."""

import numpy as np
import pytest
import torch
from support.resuming import go_on, live, start
from support.running import run

from trainconsole.engine.reporting import readback
from trainconsole.engine.training.epoch_means import Means

LAST_ROW = """
import torch
from torch import nn

def load():
    x = torch.zeros(21, 1)
    x[:, 0] = torch.arange(21) % 2
    return x, torch.arange(21) % 2

class Stuck(nn.Module):
    '''Always as sure of class 0, so that each row's loss is known.'''
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
    def forward(self, x):
        return torch.tensor([[2.0, 0.0]]).expand(len(x), 2) * self.scale
"""


@pytest.fixture
def stuck(own_code) -> list[str]:
    name = own_code(LAST_ROW)
    parts = ["data.split.test=0", "data.split.validation=0", "data.scaling=none", "batch_size=20"]
    return [f"data.name={name}:load", f"model.name={name}:Stuck", "optimizer.lr=1e-30", *parts]


def expected() -> dict[str, float]:
    """Of all 21 rows, 11 of class 0."""
    losses = torch.nn.functional.cross_entropy(
        torch.tensor([[2.0, 0.0]]).expand(21, 2), torch.arange(21) % 2, reduction="none"
    )
    return {"loss": float(losses.mean()), "accuracy": 11 / 21}


def test_a_batch_of_one_row_weighs_as_one_row(tmp_path, stuck):
    ran = run(tmp_path, "iris", *stuck, "epochs=3")
    assert len(ran.rows) == 6
    for event in ran.of("epoch"):
        assert event["train"] == pytest.approx(expected(), rel=1e-6)
    by_batch = ran.rows["metric"].reshape(3, 2).mean(1)
    assert not np.isclose(by_batch, 11 / 21).all()


def test_what_is_watched_without_validation_is_that_mean(tmp_path, stuck):
    ran = run(tmp_path, "iris", *stuck, "epochs=9", "early_stopping.patience=2")
    assert ran.last["reason"] == "early_stopping"
    assert ran.last["best"]["value"] == pytest.approx(expected()["loss"], rel=1e-6)
    assert ran.last["best"]["epoch"] == 1
    assert ran.last["step"] == 2 * 3


def test_where_steps_are_read_back_does_not_matter(tmp_path, monkeypatch, stuck):
    found = []
    for seconds in (0.0, 1e9):
        monkeypatch.setattr(readback, "INTERVAL", seconds)
        found.append([event["train"] for event in run(tmp_path, "iris", *stuck, "epochs=2").of("epoch")])
    assert found[0] == found[1]


def test_an_epoch_with_two_batch_sizes_and_a_resume_in_it(tmp_path, stuck):
    at = ["step 1: batch 7"]
    split = [*stuck, "batch_size=12", "epochs=1"]
    whole = run(tmp_path / "a", "iris", *split, at=at)
    killed = live(start(tmp_path / "b", "iris", *split, at=at), after={2: ["checkpoint"]}, dies=2)
    ran = live(go_on(killed))
    assert (
        ran.of("epoch")[-1]["train"] == whole.of("epoch")[0]["train"] == pytest.approx(expected(), rel=1e-6)
    )


def test_a_batch_that_is_not_finite_is_left_out():
    means = Means().counted([1.0, float("nan"), 3.0], [0.5, 1.0, 0.0], [10, 10, 30])
    assert means.named("accuracy") == {"loss": 2.5, "accuracy": 0.125}
    assert Means().named("mae") == {}


def test_a_checkpoint_that_counted_batches_is_read():
    state = {"epoch_sums": [6.0, 1.5, 3.0]}
    assert Means.of(state, 16) == Means(96.0, 24.0, 48.0)
    assert Means.of({"epoch_means": Means(1.0, 2.0, 3.0).stored()}, 16) == Means(1.0, 2.0, 3.0)


def test_the_gradient_of_a_short_batch_is_torchs(tmp_path):
    """Its mean over the rows that it has: the same updates as torch's own loop."""
    extra = ["data.split.validation=0", "data.limit=130", "batch_size=50", "epochs=1", "optimizer.name=sgd"]
    ran = run(tmp_path, "iris", *extra, "optimizer.lr=0.1", "schedule.name=constant")
    data = ran.trainer.data
    again = ran.trainer.fresh()
    model, order = again.model, data.order(0, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for inputs, targets in data.train.batches(order, 0, 50):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
    assert data.epoch_size % 50 != 0
    for name, value in ran.trainer.model.state_dict().items():
        assert torch.allclose(value, model.state_dict()[name], atol=1e-6), name

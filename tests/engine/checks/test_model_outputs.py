"""Probabilities in front of losses on logits, and losses of probabilities: told, trained, measured."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support.running import Ran, run
from torch import nn
from torch.nn import functional as F

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.losses import Bce, BceProbabilities
from trainconsole.engine.losses import losses

CODE = """
import torch
from torch import nn
from torch.utils.data import Dataset

G = torch.Generator().manual_seed(0)
X = torch.randn(120, 4, generator=G)
Y = (X[:, 0] + X[:, 1] > 0).long()

def two(): return X, Y
def three(): return X, Y + (X[:, 2] > 0).long()
def floats(): return X, Y.float()
def column(): return X, Y.float()[:, None]
class Floats(Dataset):
    def __len__(self): return 120
    def __getitem__(self, i): return X[i], Y[i].float()
def dataset(): return Floats()
def shares(): return X, torch.stack([1 - Y * 0.9, Y * 0.9], 1).float()

class Net(nn.Module):
    def __init__(self, outputs=1, end="none"):
        super().__init__()
        self.a, self.out, self.end = nn.Linear(4, 16), nn.Linear(16, outputs), end
    def forward(self, x):
        x = self.out(torch.relu(self.a(x)))
        match self.end:
            case "sigmoid": return torch.sigmoid(x)
            case "squeezed": return torch.sigmoid(x).squeeze(1)
            case "softmax": return torch.softmax(x, 1)
            case "log_softmax": return torch.log_softmax(x, 1)
            case "clamp": return x.clamp(0, 1)
            case "shares": return torch.log_softmax(x, 1).exp()
            case "hard": return nn.functional.hardsigmoid(x)
        return x

def layers(): return nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())
def bce(): return nn.BCELoss()
def logits(): return nn.BCEWithLogitsLoss()
def entropy(): return nn.CrossEntropyLoss()
"""


@pytest.fixture
def code(own_code: Callable[[str], str]) -> str:
    return own_code(CODE)


def trained(tmp_path: Path, code: str, data: str, loss: str, outputs: int, end: str, *more: str) -> Ran:
    model = [f"model.name={code}:Net", f"model.args.outputs={outputs}", f"model.args.end={end}"]
    loss = f"{code}:{loss[4:]}" if loss.startswith("own:") else loss
    return run(tmp_path, "iris", f"data.name={code}:{data}", *model, f"loss.name={loss}", *more)


def told(ran: Ran) -> list[str]:
    return [event["why"] for event in ran.of("warning")]


TWICE = {
    (
        "two",
        "bce",
        1,
        "sigmoid",
    ): "ends in sigmoid, and loss bce applies sigmoid once more; use loss bce_prob",
    ("two", "bce", 1, "squeezed"): "ends in sigmoid, and loss bce applies sigmoid",
    (
        "two",
        "bce",
        1,
        "hard",
    ): "lie between 0 and 1, and loss bce applies sigmoid: if they are probabilities, use",
    ("two", "own:logits", 1, "sigmoid"): "loss BCEWithLogitsLoss applies sigmoid once more; use BCELoss",
    (
        "two",
        "cross_entropy",
        2,
        "softmax",
    ): "ends in softmax, and loss cross_entropy applies softmax once more",
    ("three", "cross_entropy", 3, "shares"): "sum to 1, and loss cross_entropy applies softmax: if they",
    ("three", "cross_entropy", 3, "sigmoid"): "ends in sigmoid, and loss cross_entropy applies softmax",
    ("three", "own:entropy", 3, "softmax"): "loss CrossEntropyLoss applies softmax once more; leave it out",
    ("three", "nll", 3, "softmax"): "end the model in log_softmax",
    ("three", "kl_div", 3, "softmax"): "loss kl_div applies softmax",
}

RIGHT = [
    ("two", "bce", 1, "none"),
    ("two", "cross_entropy", 2, "none"),
    ("three", "cross_entropy", 3, "log_softmax"),
    ("three", "nll", 3, "log_softmax"),
    ("two", "bce_probabilities", 1, "sigmoid"),
    ("two", "bce_probabilities", 1, "squeezed"),
    ("two", "own:bce", 1, "sigmoid"),
    ("two", "own:logits", 1, "none"),
]


@pytest.mark.parametrize(("case", "words"), TWICE.items(), ids=map(str, TWICE))
def test_what_is_applied_twice_is_told(
    tmp_path: Path, code: str, case: tuple[str, str, int, str], words: str
) -> None:
    ran = trained(tmp_path, code, *case, "epochs=1")
    assert [words in why for why in told(ran)] == [True]


@pytest.mark.parametrize("case", RIGHT, ids=map(str, RIGHT))
def test_what_fits_is_not_talked_about(tmp_path: Path, code: str, case: tuple[str, str, int, str]) -> None:
    assert told(trained(tmp_path, code, *case, "epochs=1")) == []


def test_many_fresh_models_are_not_suspected(tmp_path: Path, code: str) -> None:
    """Small logits may all lie between 0 and 1; larger inputs tell."""
    assert [
        told(trained(tmp_path, code, "two", "bce", 1, "none", "epochs=1", f"seed={n}")) for n in range(12)
    ] == [[]] * 12


def test_a_last_layer_is_seen_through_a_sequential(tmp_path: Path, code: str) -> None:
    ran = run(
        tmp_path, "iris", f"data.name={code}:two", f"model.name={code}:layers", "loss.name=bce", "epochs=1"
    )
    assert "ends in sigmoid" in told(ran)[0]


# --- losses of probabilities ------------------------------------------------------------------------------

WAYS = [
    ("two", "bce_probabilities", 1, "sigmoid"),
    ("two", "bce_probabilities", 1, "squeezed"),
    ("two", "own:bce", 1, "sigmoid"),
    ("two", "own:bce", 1, "squeezed"),
    ("floats", "own:bce", 1, "sigmoid"),
    ("column", "own:bce", 1, "sigmoid"),
    ("floats", "own:logits", 1, "none"),
    ("two", "own:logits", 1, "none"),
    ("shares", "own:bce", 1, "sigmoid"),
    ("three", "own:bce", 3, "sigmoid"),
    ("three", "own:logits", 3, "none"),
    ("two", "bce", 1, "none"),
]


@pytest.mark.parametrize("case", WAYS, ids=map(str, WAYS))
def test_it_trains_and_accuracy_is_measured(
    tmp_path: Path, code: str, case: tuple[str, str, int, str]
) -> None:
    ran = trained(tmp_path, code, *case, "optimizer.lr=0.05", "epochs=12")
    assert ran.last["test"]["accuracy"] >= 0.85
    assert ran.rows["metric"][-4:].mean() >= 0.85
    assert sum(map(sum, ran.last["confusion"])) == 24


@pytest.mark.parametrize("logits", [True, False])
def test_the_loss_is_torchs_own(tmp_path: Path, code: str, logits: bool) -> None:
    """The first row: of weights that the same seed gives, on the first batch of the order."""
    loss, end = ("own:logits", "none") if logits else ("own:bce", "sigmoid")
    ran = trained(tmp_path, code, "two", loss, 1, end, "epochs=1", "batch_size=96")
    built_in = "bce" if logits else "bce_probabilities"
    assert (
        ran.rows["loss"][0]
        == trained(tmp_path, code, "two", built_in, 1, end, "epochs=1", "batch_size=96").rows["loss"][0]
    )
    trainer = ran.trainer.fresh()
    x, y = next(trainer.data.train.batches(trainer.data.order(0, 1), 0, 96))
    criterion = nn.BCEWithLogitsLoss() if logits else nn.BCELoss()
    assert ran.rows["loss"][0] == pytest.approx(
        criterion(trainer.model(x), y.float()[:, None]).item(), rel=1e-6
    )


def test_both_bce_agree_with_weights_and_smoothing() -> None:
    weights = torch.tensor([0.3, 1.7])
    one, other = (losses.build(c, "classification", 2, weights) for c in (Bce(), BceProbabilities()))
    logits = torch.randn(9, 1, generator=torch.Generator().manual_seed(1))
    targets = torch.arange(9) % 2
    for smoothing in (0.0, 0.2):
        given = logits.clone().requires_grad_(), logits.clone().requires_grad_()
        results = one.train(given[0], targets, smoothing), other.train(given[1].sigmoid(), targets, smoothing)
        torch.testing.assert_close(*results, rtol=1e-5, atol=1e-6)
        for result in results:
            result.backward()
        torch.testing.assert_close(given[0].grad, given[1].grad, rtol=1e-4, atol=1e-6)
    assert (one.threshold, other.threshold) == (0.0, 0.5)


def test_probabilities_that_are_not_finite_are_no_error() -> None:
    loss = losses.build(BceProbabilities(), "classification", 2, None)
    assert math.isnan(float(loss.evaluate(torch.tensor([[0.4], [math.nan]]), torch.tensor([0, 1]))))
    certain = loss.evaluate(torch.tensor([[1.0], [0.0]]), torch.tensor([1, 0]))
    assert float(certain) == float(F.binary_cross_entropy(torch.ones(2), torch.ones(2)))


@pytest.mark.parametrize("loss", ["bce_probabilities", "own:bce"])
def test_logits_are_refused_where_probabilities_are_wanted(tmp_path: Path, code: str, loss: str) -> None:
    with pytest.raises(UserError, match=r"it takes probabilities from 0 to 1, and the model gives .*\nEnd"):
        trained(tmp_path, code, "two", loss, 1, "none")
    name = loss if loss == "bce_probabilities" else f"{code}:bce"
    with pytest.raises(UserError, match="the models built in give logits\nUse "):
        run(tmp_path, "iris", f"data.name={code}:two", f"loss.name={name}")


def test_floats_of_a_dataset_are_numbers_and_that_is_said(tmp_path: Path, code: str) -> None:
    ran = trained(tmp_path, code, "dataset", "own:bce", 1, "sigmoid", "epochs=1")
    assert any("mae is measured; with integers 0 and 1" in why for why in told(ran))
    assert "mae" in ran.last["test"]


def test_under_autocast(tmp_path: Path, code: str) -> None:
    ran = trained(tmp_path, code, "two", "own:bce", 1, "sigmoid", "precision=bfloat16", "epochs=2")
    assert math.isfinite(ran.rows["loss"][-1])

"""Losses against torch's and scikit-learn's own values; weights and smoothing in train() alone."""

import sys

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torch import Tensor
from torch.nn import functional as F

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.losses import L1, Bce, CrossEntropy, Huber, ImportedLoss, KlDiv, Mse, Nll
from trainconsole.engine.losses import losses

WEIGHTS = torch.tensor([0.5, 1.0, 3.0])


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(40, 3), torch.randint(0, 3, (40,))


@pytest.fixture
def binary() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(40, 1), torch.randint(0, 2, (40,))


@pytest.mark.parametrize("config", [CrossEntropy(), Nll(), KlDiv()])
def test_classification_losses_are_the_log_loss(config, batch):
    outputs, targets = batch
    loss = losses.build(config, "classification", 3, None)
    expected = sk.log_loss(targets, outputs.double().softmax(1), labels=[0, 1, 2])
    assert loss.outputs == 3
    assert loss.train(outputs, targets, 0.0).item() == pytest.approx(expected, rel=1e-5)
    assert loss.evaluate(outputs, targets).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("config", [CrossEntropy(), Nll()])
def test_weights_and_smoothing_are_torchs(config, batch):
    outputs, targets = batch
    loss = losses.build(config, "classification", 3, WEIGHTS)
    expected = F.cross_entropy(outputs, targets, WEIGHTS, label_smoothing=0.1)
    assert loss.train(outputs, targets, 0.1).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("config", [CrossEntropy(), Nll(), KlDiv()])
def test_evaluation_knows_neither_weights_nor_smoothing(config, batch):
    outputs, targets = batch
    plain = losses.build(config, "classification", 3, None)
    weighted = losses.build(config, "classification", 3, WEIGHTS)
    assert torch.equal(weighted.evaluate(outputs, targets), plain.evaluate(outputs, targets))
    assert weighted.train(outputs, targets, 0.0).item() != plain.train(outputs, targets, 0.0).item()
    assert plain.train(outputs, targets, 0.2).item() != plain.train(outputs, targets, 0.0).item()


def test_nll_leaves_log_probabilities_alone(batch):
    outputs, targets = batch
    loss = losses.build(Nll(), "classification", 3, None)
    log_p = outputs.log_softmax(1)
    torch.testing.assert_close(loss.train(log_p, targets, 0.0), F.nll_loss(log_p, targets))


def test_kl_divergence_of_soft_targets_by_its_definition(batch):
    outputs, _ = batch
    p = torch.rand(40, 3).softmax(1)
    loss = losses.build(KlDiv(), "classification", 3, None)
    expected = (p * (p.log() - outputs.log_softmax(1))).sum(1).mean()
    torch.testing.assert_close(loss.train(outputs, p, 0.0), expected)
    assert loss.train(p.log(), p, 0.0).item() == pytest.approx(0.0, abs=1e-6)


def test_kl_divergence_weighted_is_cross_entropy_weighted_for_hard_targets(batch):
    outputs, targets = batch
    loss = losses.build(KlDiv(), "classification", 3, WEIGHTS)
    torch.testing.assert_close(loss.train(outputs, targets, 0.0), F.cross_entropy(outputs, targets, WEIGHTS))


@pytest.mark.parametrize("flat", [False, True])
def test_bce_is_the_log_loss_of_class_one(binary, flat):
    outputs, targets = binary
    loss = losses.build(Bce(), "classification", 2, None)
    expected = sk.log_loss(targets, outputs.double().sigmoid().flatten())
    assert loss.outputs == 1
    given = outputs.flatten() if flat else outputs
    assert loss.train(given, targets, 0.0).item() == pytest.approx(expected, rel=1e-5)


def test_bce_with_weights_and_smoothing_is_the_two_class_cross_entropy(binary):
    outputs, targets = binary
    weights = torch.tensor([1.0, 4.0])
    two = torch.cat([torch.zeros_like(outputs), outputs], 1)
    weighted = losses.build(Bce(), "classification", 2, weights)
    torch.testing.assert_close(weighted.train(outputs, targets, 0.0), F.cross_entropy(two, targets, weights))
    smoothed = F.cross_entropy(two, targets, label_smoothing=0.2)
    plain = losses.build(Bce(), "classification", 2, None)
    torch.testing.assert_close(plain.train(outputs, targets, 0.2), smoothed)
    assert torch.equal(weighted.evaluate(outputs, targets), plain.evaluate(outputs, targets))


@pytest.mark.parametrize(
    ("config", "reference"),
    [
        (Mse(), sk.mean_squared_error),
        (L1(), sk.mean_absolute_error),
        (Huber(delta=0.5), lambda y, x: np.where((e := abs(y - x)) < 0.5, e**2 / 2, 0.5 * (e - 0.25)).mean()),
    ],
)
@pytest.mark.parametrize("shape", [(30,), (30, 1)])
def test_regression_losses(config, reference, shape):
    torch.manual_seed(2)
    outputs, targets = torch.randn(30, 1), torch.randn(shape)
    loss = losses.build(config, "regression", 0, None)
    expected = reference(targets.flatten().double().numpy(), outputs.flatten().double().numpy())
    assert loss.outputs == 1
    assert not loss.supports_smoothing
    assert loss.train(outputs, targets, 0.0).item() == pytest.approx(expected, rel=1e-5)
    with pytest.raises(UserError, match="label_smoothing: not for loss"):
        loss.train(outputs, targets, 0.1)


@pytest.mark.parametrize("config", [CrossEntropy(), Nll(), KlDiv(), Bce()])
def test_classification_losses_are_not_for_regression(config):
    with pytest.raises(
        UserError,
        match="is not for regression: the targets are floating-point numbers\nUse one of mse, l1, huber",
    ):
        losses.build(config, "regression", 0, None)


@pytest.mark.parametrize("config", [Mse(), L1(), Huber()])
def test_regression_losses_are_not_for_classification(config):
    with pytest.raises(
        UserError,
        match="is not for classification: the targets are taken for classes\nUse one of cross_entropy, bce",
    ):
        losses.build(config, "classification", 3, None)


def test_bce_is_for_two_classes():
    with pytest.raises(UserError, match="bce is for 2 classes, the data has 3"):
        losses.build(Bce(), "classification", 3, None)


def test_low_precision_outputs_are_summed_in_float32(batch):
    outputs, targets = batch
    loss = losses.build(CrossEntropy(), "classification", 3, WEIGHTS)
    assert loss.train(outputs.bfloat16(), targets, 0.1).dtype == torch.float32


def test_l1_penalty_counts_what_is_trained():
    frozen = torch.ones(3)
    trained = torch.tensor([[1.0, -2.0], [0.0, 4.0]], requires_grad=True)
    penalty = losses.l1_penalty([frozen, trained])
    penalty.backward()
    assert penalty.item() == 7.0
    assert torch.equal(trained.grad, torch.tensor([[1.0, -1.0], [0.0, 1.0]]))


OWN = """
from torch import nn

class Focal(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, outputs, targets):
        nll = nn.functional.cross_entropy(outputs, targets, reduction="none")
        return (1 - (-nll).exp()) ** self.gamma * nll

def words():
    return lambda outputs, targets: "much"

def nothing():
    return None
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_losses.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "own_losses"
    sys.modules.pop("own_losses", None)


def test_own_loss(own, batch):
    outputs, targets = batch
    loss = losses.build(ImportedLoss(target=f"{own}:Focal", args={"gamma": 0.0}), "classification", 3, None)
    torch.testing.assert_close(loss.train(outputs, targets, 0.0), F.cross_entropy(outputs, targets))


def test_own_loss_gone_wrong(own, batch):
    with pytest.raises(UserError, match="returns a NoneType, not a callable"):
        losses.build(ImportedLoss(target=f"{own}:nothing"), "classification", 3, None)
    loss = losses.build(ImportedLoss(target=f"{own}:words"), "classification", 3, None)
    with pytest.raises(UserError, match="gives a str, not a Tensor"):
        loss.train(*batch, 0.0)
    loss = losses.build(ImportedLoss(target=f"{own}:Focal"), "classification", 3, None)
    with pytest.raises(UserError, match=r"loss own_losses:Focal failed: .* \(own_losses.py:10\)"):
        loss.train(batch[0], batch[1][:5], 0.0)
    with pytest.raises(UserError, match="class_weights has no effect"):
        losses.build(ImportedLoss(target=f"{own}:Focal"), "classification", 3, WEIGHTS)

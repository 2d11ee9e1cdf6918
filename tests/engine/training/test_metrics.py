"""Metrics against scikit-learn, however an evaluation is cut into batches."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from trainconsole.engine.training import metrics

CPU = torch.device("cpu")


@given(
    seed=st.integers(0, 10_000), classes=st.integers(2, 6), rows=st.integers(1, 200), batch=st.integers(1, 64)
)
@settings(max_examples=60, deadline=None)
def test_classification(seed, classes, rows, batch):
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(rows, classes, generator=generator)
    targets = torch.randint(0, classes, (rows,), generator=generator)
    tally = metrics.Tally("classification", classes, 1.0, CPU)
    row_loss = torch.nn.functional.cross_entropy(outputs, targets, reduction="none")
    for start in range(0, rows, batch):
        part = slice(start, start + batch)
        tally.add(outputs[part], targets[part], row_loss[part].mean())
    found, guess = tally.result(), outputs.argmax(1)
    recalls = sk.recall_score(targets, guess, labels=targets.unique().tolist(), average="macro")
    assert found["loss"] == pytest.approx(row_loss.double().mean().item(), rel=1e-5)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(targets, guess))
    assert found["balanced_accuracy"] == pytest.approx(recalls)
    table = sk.confusion_matrix(targets, guess, labels=list(range(classes)))
    assert tally.confusion() == table.tolist()
    batches = outputs.split(batch), targets.split(batch)
    each = [(o.argmax(1) == t).float().mean().item() for o, t in zip(*batches, strict=True)]
    assert metrics.batch_metrics(*batches, "classification").tolist() == pytest.approx(each, rel=1e-6)


@given(
    seed=st.integers(0, 10_000),
    centre=st.sampled_from([0.0, 1e4]),
    rows=st.integers(2, 200),
    batch=st.integers(1, 64),
)
@settings(max_examples=60, deadline=None)
def test_regression_in_the_targets_own_units(seed, centre, rows, batch):
    generator = torch.Generator().manual_seed(seed)
    targets = centre + torch.randn(rows, 1, generator=generator)
    outputs = targets + 0.5 * torch.randn(rows, 1, generator=generator)
    tally = metrics.Tally("regression", 0, 7.0, CPU)
    for start in range(0, rows, batch):
        part = slice(start, start + batch)
        tally.add(outputs[part], targets[part], torch.zeros(()))
    found = tally.result()
    y, guess = targets.double().numpy(), outputs.double().numpy()
    assert found["mae"] == pytest.approx(7 * sk.mean_absolute_error(y, guess), rel=1e-6)
    assert found["rmse"] == pytest.approx(7 * sk.mean_squared_error(y, guess) ** 0.5, rel=1e-6)
    assert found["r2"] == pytest.approx(sk.r2_score(y, guess), rel=1e-6, abs=1e-6)
    assert tally.confusion() is None


def test_a_single_output_is_the_logit_of_class_one():
    outputs, targets = torch.tensor([[-1.0], [2.0], [3.0], [-4.0]]), torch.tensor([0, 1, 0, 0])
    tally = metrics.Tally("classification", 2, 1.0, CPU)
    tally.add(outputs, targets, torch.zeros(()))
    assert metrics.batch_metrics([outputs], [targets], "classification").item() == 0.75
    assert metrics.batch_metrics([outputs.flatten()], [targets], "classification").item() == 0.75
    assert tally.confusion() == [[2, 1], [0, 1]]


def test_soft_targets_count_by_their_largest_share():
    targets = torch.tensor([[0.6, 0.4, 0.0], [0.1, 0.1, 0.8]])
    outputs = torch.tensor([[1.0, 0.0, 0.0], [5.0, 0.0, 0.0]])
    assert metrics.batch_metrics([outputs], [targets], "classification").item() == 0.5


def test_mae_does_not_broadcast_and_scales():
    outputs, targets = torch.tensor([[1.0], [2.0]]), torch.tensor([2.0, 4.0])
    assert metrics.batch_metrics([outputs], [targets], "regression").item() == 1.5
    assert metrics.batch_metrics([outputs], [targets], "regression", scale=10.0).item() == 15.0


def test_which_batches_come_together_does_not_matter():
    outputs, targets = torch.randn(100, 1), torch.randn(100, 1)
    batches = outputs.split(7), targets.split(7)
    together = metrics.batch_metrics(*batches, "regression", scale=3.0)
    apart = [metrics.batch_metrics([o], [t], "regression", scale=3.0) for o, t in zip(*batches, strict=True)]
    assert together.tolist() == [one.item() for one in apart]


@pytest.mark.parametrize(("guess", "r2"), [(3.0, 1.0), (4.0, 0.0)])
def test_targets_that_do_not_vary(guess, r2):
    tally = metrics.Tally("regression", 0, 1.0, CPU)
    tally.add(torch.full((5, 1), guess), torch.full((5, 1), 3.0), torch.zeros(()))
    assert tally.result()["r2"] == r2 == sk.r2_score([3.0] * 5, [guess] * 5)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_nothing_counted_is_nan(task):
    assert all(math.isnan(value) for value in metrics.Tally(task, 3, 1.0, CPU).result().values())


def test_names():
    assert metrics.default_metric("classification") == "accuracy"
    assert metrics.default_metric("regression") == "mae"
    tallies = {task: metrics.Tally(task, 2, 1.0, CPU).result() for task in metrics.METRICS}
    assert {task: set(found) for task, found in tallies.items()} == {
        task: set(names) for task, names in metrics.METRICS.items()
    }
    assert metrics.maximised("accuracy")
    assert not metrics.maximised("rmse")

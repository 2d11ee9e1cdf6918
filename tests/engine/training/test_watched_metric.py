"""What is watched is what is restored: by default the validation loss, for early stopping and plateaus."""

from pathlib import Path

import pytest
import torch
from support.running import Ran, config, run, single

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config import tasks
from trainconsole.engine.protocol.events import Best
from trainconsole.engine.training import watched_metric

PATIENT = "early_stopping.patience=5"
EVALUATION = "evaluation.metric=balanced_accuracy"
STOPPING = "early_stopping.metric=accuracy"


@pytest.mark.parametrize(
    ("given", "best", "patience", "plateau"),
    [
        ([], "accuracy", "loss", "loss"),
        ([PATIENT], "loss", "loss", "loss"),
        ([EVALUATION], *["balanced_accuracy"] * 3),
        ([PATIENT, EVALUATION], *["balanced_accuracy"] * 3),
        ([STOPPING], "accuracy", "accuracy", "loss"),
        ([PATIENT, STOPPING], "accuracy", "accuracy", "loss"),
        ([PATIENT, "schedule.metric=accuracy"], "loss", "loss", "accuracy"),
    ],
)
def test_what_decides_what(given: list[str], best: str, patience: str, plateau: str) -> None:
    chosen = config("iris", "schedule.name=reduce_on_plateau", *given)
    assert watched_metric.of_best(chosen, "classification") == best
    assert watched_metric.of_patience(chosen) == patience
    assert watched_metric.of_plateau(chosen.schedule, chosen) == plateau
    assert watched_metric.conflict(chosen) == ""


def test_regression_has_its_own_default() -> None:
    assert watched_metric.of_best(config("diabetes"), "regression") == "mae"
    assert watched_metric.of_best(config("diabetes", PATIENT), "regression") == "loss"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("metric", ["loss", "accuracy"])
def test_what_is_not_finite_is_never_best(metric: str, value: float) -> None:
    other = Best(epoch=1, step=1, metric="mae", value=1.0)
    for best in (None, other, Best(epoch=1, step=1, metric=metric, value=0.5)):
        assert not watched_metric.better(best, metric, {metric: value})
    assert watched_metric.better(other, metric, {metric: 0.5})
    assert not watched_metric.better(None, metric, {})


def val(ran: Ran, metric: str) -> list[float]:
    return [event["val"][metric] for event in ran.of("epoch")]


def is_restored(ran: Ran, metric: str, since: int = 0) -> None:
    """It stopped early, and its weights are those of the best epoch after `since` by `metric`."""
    assert ran.last["reason"] == "early_stopping"
    values = val(ran, metric)[since:]
    best = max(values) if tasks.maximised(metric) else min(values)
    assert ran.last["best"]["metric"] == metric
    assert ran.last["best"]["epoch"] == since + values.index(best) + 1
    assert ran.last["weights_sha256"] == checkpoint.weights_sha256(ran.checkpoint("best")["model"])
    assert ran.checkpoint("best")["position"]["epoch"] == ran.last["best"]["epoch"]


@pytest.mark.parametrize("metric", ["loss", "accuracy", "balanced_accuracy"])
@pytest.mark.parametrize("key", ["early_stopping", "evaluation"])
def test_what_is_watched_is_restored(tmp_path: Path, key: str, metric: str) -> None:
    given = ["optimizer.lr=0.05", "epochs=60", "early_stopping.patience=3"]
    plain = config("classification", *given)
    assert (plain.early_stopping.metric, plain.evaluation.metric) == ("loss", "loss")
    ran = run(tmp_path, "imbalanced", *given, f"{key}.metric={metric}", *other_left_out(key))
    is_restored(ran, metric)


def other_left_out(key: str) -> list[str]:
    return [] if key == "evaluation" else ["evaluation={}"]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_iris_with_patience_learns_all_of_it(tmp_path: Path, seed: int) -> None:
    """By accuracy, which stands still early, it would stop after some 8 epochs."""
    ran = run(tmp_path, "iris", "epochs=100", PATIENT, f"seed={seed}")
    assert ran.last["test"]["accuracy"] >= 0.95
    losses = val(ran, "loss")
    assert ran.last["best"]["value"] == min(losses)


def test_switched_on_in_mid_run_it_counts_and_keeps_from_there(tmp_path: Path) -> None:
    at = ["epoch 4: set patience 3"]
    ran = run(tmp_path, "iris", "optimizer.lr=0.2", "epochs=90", "early_stopping.min_delta=0.01", at=at)
    assert ran.applied[0]["note"].startswith("from now on the best epoch is by loss; stops after 3 epochs ")
    assert [event["best"]["metric"] for event in ran.of("epoch")][:4] == ["accuracy"] * 3 + ["loss"]
    is_restored(ran, "loss", since=3)


CONFLICT = [PATIENT, STOPPING, EVALUATION]


def test_two_metrics_of_which_one_stops_and_the_other_is_restored_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="watches accuracy and would restore the best by balanced_accuracy"):
        run(tmp_path, "iris", *CONFLICT)
    ran = run(tmp_path, "iris", STOPPING, EVALUATION, at=["step 3: set patience 4"])
    assert "would restore the best by balanced_accuracy" in ran.rejected[0]["reason"]


def test_they_may_differ_where_nothing_is_restored(tmp_path: Path) -> None:
    extra = ["early_stopping.restore_best=false", "early_stopping.min_delta=1"]
    ran = run(tmp_path, "iris", *CONFLICT, "epochs=9", *extra)
    assert ran.last["reason"] == "early_stopping"
    assert ran.last["best"]["metric"] == "balanced_accuracy"
    assert ran.last["weights_sha256"] == checkpoint.weights_sha256(ran.checkpoint("last")["model"])


def test_a_plateau_is_torchs_on_the_validation_loss(tmp_path: Path) -> None:
    schedule = ["name=reduce_on_plateau", "patience=1", "factor=0.5"]
    sets = [f"schedule.{text}" for text in schedule]
    ran = run(tmp_path, "classification", *sets, "evaluation={}", "epochs=30", "optimizer.lr=0.05")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.05)
    oracle = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min", patience=1, factor=0.5)
    expected = []
    for loss in val(ran, "loss"):
        expected.append(single(optimizer.param_groups[0]["lr"]))
        oracle.step(loss)
    assert len(set(expected)) > 1
    assert [single(event["lr"]) for event in ran.of("epoch")] == pytest.approx(expected, rel=1e-6)

"""Rows, the end of an epoch and the end of a run: what is said of them."""

import numpy as np
import pytest
from support.running import Ran, run, single

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.commands import Interrupt
from trainconsole.engine.training.trainer import Trainer

STEPS = 6
"""Updates in an epoch of iris: 96 flowers in batches of 16."""


def test_a_row_an_update(plain_run):
    rows = plain_run.rows
    assert rows["step"].tolist() == list(range(1, 4 * STEPS + 1))
    assert rows["epoch"].tolist() == [epoch for epoch in range(1, 5) for _ in range(STEPS)]
    assert not rows["branch"].any()
    assert np.isfinite(rows["loss"]).all()
    assert ((rows["metric"] >= 0) & (rows["metric"] <= 1)).all()
    assert np.isnan(rows["grad_norm"]).all()
    assert (np.diff(rows["time"]) >= 0).all()
    assert rows["time"][0] >= 0


@pytest.mark.parametrize("extra", ["evaluation.grad_norm=true", "regularisation.clip.norm=0.5"])
def test_the_gradient_norm_is_measured_where_asked(tmp_path, extra):
    norms = run(tmp_path, "iris", extra).rows["grad_norm"]
    assert (norms > 0).all()


def test_an_epoch_event_is_the_mean_of_its_rows(plain_run):
    rows, epochs = plain_run.rows, plain_run.of("epoch")
    assert [event["epoch"] for event in epochs] == [1, 2, 3, 4]
    for event in epochs:
        own = rows[rows["epoch"] == event["epoch"]]
        assert event["step"] == own["step"][-1]
        assert event["train"] == pytest.approx(
            {"loss": own["loss"].mean(), "accuracy": own["metric"].mean()}, rel=1e-5
        )
        assert set(event["val"]) == {"loss", "accuracy", "balanced_accuracy"}
        assert single(event["lr"]) == own["lr"][-1]
        assert event["steps_per_second"] > 0


def test_best_is_the_best_epoch_so_far(plain_run):
    best = None
    for event in plain_run.of("epoch"):
        if best is None or event["val"]["accuracy"] > best["value"]:
            best = {"epoch": event["epoch"], "step": event["step"], "metric": "accuracy"}
            best["value"] = event["val"]["accuracy"]
        assert event["best"] == best
    assert plain_run.last["best"] == best


def test_best_can_be_the_smallest(tmp_path):
    ran = run(tmp_path, "iris", "evaluation.metric=loss", "optimizer.lr=0.1", "epochs=12")
    losses = [event["val"]["loss"] for event in ran.of("epoch")]
    assert ran.last["best"]["value"] == min(losses)
    assert ran.last["best"]["epoch"] == losses.index(min(losses)) + 1


def batch_rows(ran: Ran) -> list[int]:
    """How many rows each batch of an epoch has."""
    size, batch = ran.trainer.data.epoch_size, ran.launch.config.batch_size
    return [min(batch, size - first) for first in range(0, size, batch)]


def test_regression_has_its_own_metrics(tmp_path):
    ran = run(tmp_path, "diabetes", "epochs=3")
    for shape in (ran.of("epoch")[0]["val"], ran.last["test"]):
        assert set(shape) == {"loss", "mae", "rmse", "r2"}
    epoch, rows = ran.of("epoch")[0], ran.rows
    first = rows["metric"][rows["epoch"] == 1]
    assert epoch["train"]["mae"] == pytest.approx(np.average(first, weights=batch_rows(ran)), rel=1e-5)
    assert ran.last["confusion"] is None


def test_without_validation_val_is_null_and_best_looks_at_train(tmp_path):
    ran = run(tmp_path, "iris", "data.split.validation=0", at=["step 3: evaluate"])
    assert [event["val"] for event in ran.of("epoch", "evaluated")] == [None] * 5
    accuracies = [event["train"]["accuracy"] for event in ran.of("epoch")]
    assert ran.last["best"]["value"] == max(accuracies)


def test_evaluate_on_request_touches_neither_best_nor_patience(tmp_path):
    ran = run(tmp_path, "iris", "early_stopping.patience=50", at=["step 9: evaluate", "epoch 3: evaluate"])
    middle, start = ran.of("evaluated")
    assert (middle["step"], middle["epoch"], start["step"], start["epoch"]) == (9, 2, 12, 3)
    rows = ran.rows
    assert middle["train"]["loss"] == pytest.approx(rows["loss"][6:9].mean(), rel=1e-5)
    assert start["train"] == {}
    assert start["val"] == ran.of("epoch")[1]["val"]
    assert middle["best"] == ran.of("epoch")[0]["best"]
    assert (
        ran.trainer.state_dict()["patience"]
        == run(tmp_path, "iris", "early_stopping.patience=50").trainer.state_dict()["patience"]
    )


def test_when_a_run_is_over_no_steps_are_left(plain_run):
    status = plain_run.status
    assert (status.stage, status.step, status.steps) == ("finished", 4 * STEPS, 4 * STEPS)
    assert (status.epoch, status.epochs, status.rows) == (4, 4, 4 * STEPS)
    assert status.last_seq == plain_run.events[-1]["seq"]
    assert status.in_force.values()["steps"] == 4 * STEPS


def test_finished_says_it_all(plain_run):
    last = plain_run.last
    assert (last["type"], last["reason"], last["step"]) == ("finished", "completed", 4 * STEPS)
    assert last["run"] == plain_run.path.name
    assert last["lineage"] == []
    assert set(last["test"]) == {"loss", "accuracy", "balanced_accuracy"}
    assert sum(map(sum, last["confusion"])) == 30
    right = sum(last["confusion"][i][i] for i in range(3))
    assert last["test"]["accuracy"] == pytest.approx(right / 30)
    assert last["weights_sha256"] == plain_run.trainer.weights_sha256()
    assert last["weights_sha256"] == checkpoint.weights_sha256(plain_run.checkpoint("last")["model"])


def test_a_lineage_holds_what_changed_training_and_nothing_else(tmp_path):
    counted = {
        1: ["lr 0.01"],
        2: ["schedule cosine  eta_min=0.001"],
        3: ["optimizer   sgd lr=0.1"],
        4: ["set weight_decay 0.01"],
        5: ["batch 8"],
        6: ["epochs 3"],
        9: ["stop"],
    }
    after = {step: [*texts, "evaluate", "checkpoint", "lr -1"] for step, texts in counted.items()}
    after[7] = ["pause"]
    ran = run(tmp_path, after=after, waits=["next", "checkpoint here", "resume"])
    expected = [[step, " ".join(text.split())] for step, texts in counted.items() for text in texts]
    assert ran.last["lineage"] == expected
    assert ran.last["reason"] == "stopped"
    kept = [entry[:2] for entry in ran.checkpoint("last")["lineage"]]
    assert [entry for entry in kept if entry[1] != "stop"] == expected[:-1]


def test_stop_last_keeps_what_is(tmp_path):
    ran = run(tmp_path, at=["step 8: stop"])
    assert (ran.last["type"], ran.last["reason"], ran.last["step"]) == ("finished", "stopped", 8)
    assert ran.last["lineage"] == [[8, "stop"]]
    assert len(ran.rows) == 8
    assert ran.last["test"] is not None
    assert ran.last["weights_sha256"] == checkpoint.weights_sha256(ran.checkpoint("last")["model"])
    assert ran.checkpoint("last")["position"] == {"step": 8, "epoch": 1, "consumed": 32}


def test_stop_best_brings_the_best_weights_back(tmp_path):
    ran = run(tmp_path, "iris", "optimizer.lr=0.05", at=["step 20: stop best"])
    best, last = ran.checkpoint("best"), ran.checkpoint("last")
    assert ran.last["reason"] == "stopped"
    assert best["position"]["step"] == ran.last["best"]["step"] < 20
    assert ran.last["weights_sha256"] == checkpoint.weights_sha256(best["model"])
    assert ran.last["weights_sha256"] != checkpoint.weights_sha256(last["model"])
    assert last["position"]["step"] == 20
    assert ran.last["lineage"] == [[20, "stop best"]]


def test_stop_best_before_an_epoch_ended_is_rejected(tmp_path, plain_run):
    ran = run(tmp_path, at=["step 3: stop best"])
    assert "no best" in ran.rejected[0]["reason"]
    assert ran.last["weights_sha256"] == plain_run.last["weights_sha256"]
    assert ran.last["lineage"] == []


def test_early_stopping_restores_the_best_weights(tmp_path):
    extra = ["epochs=60", "early_stopping.patience=3", "early_stopping.metric=loss", "evaluation.metric=loss"]
    ran = run(tmp_path, "classification", "optimizer.lr=0.05", *extra)
    losses = [event["val"]["loss"] for event in ran.of("epoch")]
    best = losses.index(min(losses)) + 1
    assert ran.last["reason"] == "early_stopping"
    assert len(losses) == best + 3 < 60
    assert ran.last["best"]["epoch"] == best
    assert ran.last["weights_sha256"] == checkpoint.weights_sha256(ran.checkpoint("best")["model"])
    assert ran.checkpoint("last")["position"]["epoch"] == best + 3
    assert ran.status.patience_left == 0


def test_early_stopping_can_leave_the_last_weights(tmp_path):
    extra = ["epochs=60", "early_stopping.patience=2", "early_stopping.restore_best=false"]
    ran = run(tmp_path, "classification", "optimizer.lr=0.05", *extra, "evaluation.metric=loss")
    assert ran.last["reason"] == "early_stopping"
    assert ran.last["weights_sha256"] == checkpoint.weights_sha256(ran.checkpoint("last")["model"])
    assert ran.last["weights_sha256"] != checkpoint.weights_sha256(ran.checkpoint("best")["model"])


def test_patience_that_runs_out_with_the_last_epoch_is_a_run_completed(tmp_path):
    whole = run(tmp_path, "classification", "optimizer.lr=0.05", "epochs=60")
    cut = run(tmp_path, "classification", "optimizer.lr=0.05", f"epochs={whole.of('epoch')[-1]['epoch']}")
    assert whole.last["reason"] == "early_stopping"
    assert cut.last["reason"] == "completed"
    assert cut.last["weights_sha256"] == whole.last["weights_sha256"]


@pytest.mark.parametrize("key", ["evaluation", "early_stopping"])
def test_a_metric_that_only_validation_has_needs_validation(tmp_path, key):
    """Otherwise nothing would ever be best, and patience would run out at once."""
    extra = ["data.split.validation=0", f"{key}.metric=balanced_accuracy", "early_stopping.patience=2"]
    with pytest.raises(UserError, match="balanced_accuracy"):
        run(tmp_path, "iris", *extra)


def test_reduce_on_plateau_lowers_the_rate_after_bad_epochs(tmp_path):
    extra = ["schedule.name=reduce_on_plateau", "schedule.patience=1", "schedule.factor=0.5"]
    ran = run(tmp_path, "iris", "epochs=6", *extra, "schedule.threshold=100", "schedule.threshold_mode=abs")
    by_epoch = [single(event["lr"]) for event in ran.of("epoch")]
    # No epoch is better by 100: the first is best, the second bad, the third bad once too often.
    assert by_epoch == [single(0.001 * factor) for factor in (1, 1, 1, 0.5, 0.5, 0.25)]


def test_an_interrupt_saves_and_says_so(tmp_path):
    ran = run(tmp_path, after={10: ["lr 0.1", Interrupt(signal="SIGTERM"), "lr 0.2"]})
    assert ran.last["type"] == "interrupted"
    assert (ran.last["signal"], ran.last["step"]) == ("SIGTERM", 10)
    state = ran.checkpoint(ran.last["checkpoint"].removeprefix("checkpoints/").removesuffix(".pt"))
    assert state["position"]["step"] == 10
    assert [entry[:2] for entry in state["lineage"]] == [[10, "lr 0.1"]]
    assert (ran.rejected[0]["command"], ran.rejected[0]["reason"]) == ("lr 0.2", "the run is ending")
    assert ran.heard.events[-1].step == 10


def test_an_interrupt_ends_a_pause(tmp_path):
    ran = run(tmp_path, after={10: ["pause"]}, waits=[Interrupt(signal="SIGINT")])
    assert (ran.last["type"], ran.last["step"]) == ("interrupted", 10)


def test_evaluation_gives_way_to_stop_and_to_nothing_else(tmp_path, monkeypatch):
    seen = []
    real = Trainer.evaluate

    def watched(self, source, stop=lambda: False):
        if source is self.data.val and self.epochs_done == 1:
            hand = stop.__self__.waiting._inbox
            hand.put("lr 0.5")
            seen.append(stop())
            hand.put("stop")
            seen.append(stop())
        return real(self, source, stop)

    monkeypatch.setattr(Trainer, "evaluate", watched)
    ran = run(tmp_path)
    assert seen == [False, True]
    assert (ran.last["reason"], ran.last["step"]) == ("stopped", 2 * STEPS)
    assert [event["epoch"] for event in ran.of("epoch")] == [1]
    assert ran.last["lineage"] == [[2 * STEPS, "stop"]]
    assert ran.rejected[0]["command"] == "lr 0.5"

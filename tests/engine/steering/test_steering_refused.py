import sys

import numpy as np
import pytest
from support.running import run

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.data.loading.batches import epoch_order


def test_a_metric_that_is_not_measured_is_rejected_with_its_schedule(tmp_path):
    ran = run(tmp_path, at=["step 3: schedule reduce_on_plateau metric=r2"])
    assert "r2" in ran.rejected[0]["reason"]


def test_a_metric_that_only_validation_has_is_rejected_where_there_is_none(tmp_path):
    at = ["step 3: schedule reduce_on_plateau metric=balanced_accuracy"]
    ran = run(tmp_path, "iris", "data.split.validation=0", at=at)
    assert "balanced_accuracy" in ran.rejected[0]["reason"]


def test_dropout_needs_a_dropout_layer(tmp_path, own_code):
    name = own_code("from torch import nn\nclass Net(nn.Sequential):\n  def __init__(self):\n"
                    "    super().__init__(nn.Linear(4, 3))\n")  # fmt: skip
    ran = run(tmp_path, "iris", f"model.name={name}:Net", "epochs=1", at=["step 2: set dropout 0.5"])
    assert ran.rejected[0]["reason"] == "the model has no dropout layer"
    assert ran.status.in_force.values()["dropout"] is None


def test_label_smoothing_needs_a_loss_that_has_it(tmp_path):
    ran = run(tmp_path, "diabetes", "epochs=1", at=["step 2: set label_smoothing 0.1"])
    assert "label smoothing" in ran.rejected[0]["reason"]


def test_augmentation_is_a_knob_for_images(tmp_path):
    extra = ["data.limit=120", "epochs=2"]
    plain = run(tmp_path, "digits", *extra)
    ran = run(tmp_path, "digits", *extra, at=["step 2: set augment on", "epoch 2: set augment off"])
    assert [(a["before"], a["after"]) for a in ran.applied] == [
        ({"augment": 0.0}, {"augment": 1.0}),
        ({"augment": 1.0}, {"augment": 0.0}),
    ]
    assert ran.curve()[:2] == plain.curve()[:2]
    assert ran.curve()[2] != plain.curve()[2]


@pytest.mark.parametrize("knob", ["weight_decay", "l1", "clip.norm", "clip.value", "dropout", "patience"])
def test_a_knob_goes_off_again(tmp_path, plain_run, knob):
    """Set and taken back at one boundary, it leaves no trace in the weights."""
    ran = run(tmp_path, at=[f"step 3: set {knob} 0.5".replace("patience 0.5", "patience 2")] * 2)
    was = ran.applied[0]["before"]
    again = run(tmp_path, after={3: [ran.applied[0]["command"], f"set {knob} off"]})
    assert again.applied[1]["after"] == was
    assert again.applied[1]["before"] == ran.applied[0]["after"]
    assert again.last["weights_sha256"] == plain_run.last["weights_sha256"]


def test_each_knob_changes_the_next_update(tmp_path, plain_run):
    knobs = ["weight_decay 0.5", "l1 0.01", "clip.norm 0.01", "clip.value 1e-4", "label_smoothing 0.3"]
    for knob in knobs:
        ran = run(tmp_path, "iris", "optimizer.name=sgd", at=[f"step 3: set {knob}"])
        plain = run(tmp_path, "iris", "optimizer.name=sgd")
        assert ran.curve()[:3] == plain.curve()[:3], knob
        assert ran.last["weights_sha256"] != plain.last["weights_sha256"], knob
    dropped = run(tmp_path, at=["step 3: set dropout 0.5"])
    assert dropped.curve()[3][1] != plain_run.curve()[3][1]


def test_patience_that_is_used_up_ends_the_run(tmp_path):
    extra = ["epochs=40", "early_stopping.min_delta=100"]
    ran = run(tmp_path, "iris", *extra, at=["step 40: set patience 2"])
    assert ran.last["reason"] == "early_stopping"
    # Counted from there: the epoch that ends at step 42 is the best of these, and two more are worse.
    assert ran.last["step"] == 42 + 2 * 6


def test_a_rate_by_hand_multiplies_the_rest_of_the_curve(tmp_path):
    plain = run(tmp_path, "iris", "schedule.name=cosine")
    ran = run(tmp_path, "iris", "schedule.name=cosine", at=["step 9: lr x3"])
    assert "schedule" in ran.applied[0]["note"]
    ratio = ran.rows["lr"] / plain.rows["lr"]
    assert ratio[:9] == pytest.approx(1.0)
    assert ratio[9:] == pytest.approx(3.0, rel=1e-5)


def test_a_swap_without_a_rate_takes_the_default_as_the_new_base(tmp_path):
    ran = run(tmp_path, "iris", "schedule.name=cosine", at=["step 12: optimizer sgd"])
    assert ran.applied[0]["after"]["lr"] == pytest.approx(0.005)
    given = run(tmp_path, "iris", "schedule.name=cosine", at=["step 12: optimizer sgd lr=0.02"])
    assert given.applied[0]["after"]["lr"] == pytest.approx(0.02)
    assert given.rows["lr"][-1] == pytest.approx(4 * ran.rows["lr"][-1], rel=1e-5)


def test_a_swap_says_what_became_of_weight_decay_and_keeps_the_weights(tmp_path):
    ran = run(
        tmp_path,
        "iris",
        "regularisation.weight_decay=0.1",
        after={8: ["checkpoint one", "optimizer adamw", "checkpoint two"]},
    )
    swap = ran.applied[1]
    assert "weight decay 0.1 is now decoupled" in swap["note"]
    assert "carried over" in swap["note"]
    assert swap["after"]["weight_decay"] == 0.1
    one, two = (ran.checkpoint(name)["model"] for name in ("one", "two"))
    assert checkpoint.weights_sha256(one) == checkpoint.weights_sha256(two)


def test_a_schedule_keeps_the_rate_in_force_and_shapes_what_remains(tmp_path):
    ran = run(tmp_path, at=["step 6: lr 0.5", "step 12: schedule cosine"])
    lr = ran.rows["lr"]
    t = np.arange(12)
    assert lr[12:] == pytest.approx(0.25 * (1 + np.cos(np.pi * t / 12)), rel=1e-5)


SEEN = """
import torch
from torch import nn

seen = []

def load():
    x = torch.arange(50.0)[:, None].repeat(1, 2)
    return (x, (x[:, 0].long() % 2)), (x[:10], x[:10, 0].long() % 2)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
    def forward(self, x):
        if self.training and torch.is_grad_enabled():
            seen.append(x[:, 0].tolist())
        return self.layer(x / 50)
"""


def test_a_batch_size_changed_in_mid_epoch_neither_repeats_nor_skips_a_sample(tmp_path, own_code):
    name = own_code(SEEN)
    own = [f"data.name={name}:load", f"model.name={name}:Net", "data.split.validation=0", "epochs=2"]
    at = ["step 2: batch 5", "step 5: batch 30"]
    ran = run(tmp_path, "iris", *own, "data.scaling=none", "batch_size=8", at=at)
    seen = sys.modules[name].seen
    batches = [batch for batch in seen if len(batch) > 3]  # without those it was tried on
    assert [len(batch) for batch in batches] == [8, 8, 5, 5, 5, 19, 30, 20]
    flat = [int(x) for batch in batches for x in batch]
    for epoch in (1, 2):
        assert flat[50 * (epoch - 1) : 50 * epoch] == epoch_order(50, 0, epoch).tolist()
    assert [event["step"] for event in ran.of("epoch")] == [6, 8]
    assert [answer["after"]["steps"] for answer in ran.applied] == [9 + 10, 6 + 2]


def test_more_epochs_lay_the_rest_of_the_cosine_over_what_remains(tmp_path):
    ran = run(tmp_path, "iris", "schedule.name=cosine", at=["step 12: epochs 6"])
    lr, t = ran.rows["lr"], np.arange(24)
    assert len(lr) == 36
    assert lr[:12] == pytest.approx(0.0005 * (1 + np.cos(np.pi * t[:12] / 24)), rel=1e-5)
    assert lr[12] == pytest.approx(0.0005, rel=1e-5)
    assert lr[12:] == pytest.approx(0.0005 * (1 + np.cos(np.pi * (0.5 + t / 48))), rel=1e-4)


def test_fewer_epochs_bring_the_cosine_down_sooner(tmp_path):
    ran = run(tmp_path, "iris", "schedule.name=cosine", at=["step 8: epochs 2"])
    lr = ran.rows["lr"]
    assert len(lr) == 12
    assert lr[8] == pytest.approx(0.0005 * (1 + np.cos(np.pi * 8 / 24)), rel=1e-5)
    assert (np.diff(lr) < 0).all()
    assert lr[11] < 0.2 * lr[8]


def test_the_epoch_that_has_begun_can_be_made_the_last(tmp_path):
    ran = run(tmp_path, at=["step 9: epochs 2"])
    assert ran.last["step"] == 12
    at_boundary = run(tmp_path, at=["step 12: epochs 2"])
    assert at_boundary.last["step"] == 12
    assert at_boundary.applied[0]["after"]["steps"] == 12

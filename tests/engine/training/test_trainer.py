"""A trainer through the loop: every optimizer and schedule, precision, state, and updates not finite."""

import math

import pytest
import torch
from support.running import config, run

from trainconsole.engine.checkpoints import checkpoint
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.optimizers import AnyOptimizer
from trainconsole.engine.config.parsing import variants
from trainconsole.engine.config.schedules import AnySchedule
from trainconsole.engine.data import load
from trainconsole.engine.schedule.curves import spans_run
from trainconsole.engine.training.step import Step
from trainconsole.engine.training.trainer import Trainer

CPU = torch.device("cpu")


def build(tmp_path, *assignments: str, preset: str = "iris") -> Trainer:
    chosen = config(preset, *assignments)
    return Trainer(chosen, load.load(chosen.data, chosen.seed, tmp_path, CPU), CPU)


def train(made: Trainer, steps: int) -> list[Step]:
    """So many updates; epochs are closed without an evaluation."""
    done = []
    for _ in range(steps):
        if made.epoch_complete:
            made.close_epoch({}, None)
        done.append(made.train_step())
    return done


@pytest.mark.parametrize("name", [n for n in variants(AnyOptimizer) if n != "import"])
def test_every_optimizer_trains(tmp_path, name):
    ran = run(tmp_path, "iris", f"optimizer.name={name}", "epochs=3", "regularisation.weight_decay=0.001")
    losses = [event["train"]["loss"] for event in ran.of("epoch")]
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < losses[0]
    assert ran.trainer.optimizer.param_groups[0]["weight_decay"] == 0.001


@pytest.mark.parametrize("name", [n for n in variants(AnySchedule) if n != "constant"])
def test_every_schedule_trains(tmp_path, name):
    more = ["schedule.milestones=[1, 3]"] if name == "multistep" else []
    ran = run(tmp_path, "iris", f"schedule.name={name}", *more, "schedule.warmup=1", "epochs=5")
    lr = ran.rows["lr"]
    assert ((lr > 0) & (lr <= 0.001 * 1.0001)).all()
    assert lr[0] == pytest.approx(0.0001 if name != "one_cycle" else 0.0001 / 25, rel=1e-3)
    if spans_run(ran.trainer.config.schedule):
        assert lr[-1] < 0.1 * lr.max()


def test_every_optimizer_can_follow_every_other(tmp_path):
    names = [n for n in variants(AnyOptimizer) if n != "import"]
    order = [*names, *reversed(names), *names[::2], *names[1::2]]
    after = {step: [f"optimizer {name} lr=0.001"] for step, name in enumerate(order, start=1)}
    ran = run(tmp_path, "iris", "epochs=8", "regularisation.weight_decay=0.01", after=after)
    assert [answer["after"]["optimizer"] for answer in ran.applied] == order
    assert ran.rejected == []
    assert ran.of("epoch")[-1]["train"]["loss"] < ran.of("epoch")[0]["train"]["loss"]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("clip", ["none", "1.0"])
def test_autocast_trains(tmp_path, precision, clip):
    extra = ["data.limit=200", "epochs=3", f"regularisation.clip.norm={clip}"]
    ran = run(tmp_path, "digits", f"precision={precision}", *extra)
    plain = run(tmp_path, "digits", *extra)
    assert ran.rows["loss"] == pytest.approx(plain.rows["loss"], abs=0.1)
    assert ran.last["weights_sha256"] != plain.last["weights_sha256"]
    assert all(value.dtype == torch.float32 for value in ran.trainer.model.parameters())
    again = run(tmp_path, "digits", f"precision={precision}", *extra)
    assert again.last["weights_sha256"] == ran.last["weights_sha256"]


def test_the_last_short_batch_is_kept(tmp_path):
    made = build(tmp_path, "batch_size=36")
    steps = train(made, 4)
    assert [(s.first_sample, s.last_sample) for s in steps] == [(0, 36), (36, 72), (72, 96), (0, 36)]
    assert [(s.number, s.epoch) for s in steps] == [(1, 1), (2, 1), (3, 1), (4, 2)]
    assert made.end.step == 12


def test_where_the_run_ends_is_counted_from_where_it_stands(tmp_path):
    made = build(tmp_path, "batch_size=36", "epochs=2")
    ends = [made.end.step]
    for _ in range(6):
        train(made, 1)
        ends.append(made.end.step)
    made.close_epoch({}, None)
    assert made.done
    assert [*ends, made.end.step] == [6] * 8


STATEFUL = {
    "dropout": ["model.dropout=0.3"],
    "batch norm": ["model.batch_norm=true", "optimizer.name=sgd", "optimizer.momentum=0.9"],
    "cosine": ["schedule.name=cosine", "schedule.warmup=2"],
    "float16": ["precision=float16"],
    "plateau": ["schedule.name=reduce_on_plateau", "schedule.patience=0", "early_stopping.patience=9"],
}


@pytest.mark.parametrize("extra", STATEFUL.values(), ids=STATEFUL.keys())
def test_a_state_that_is_loaded_goes_on_as_if_nothing_had_been(tmp_path, extra):
    """In mid-epoch, in a trainer of the same config, after a detour through a file."""
    one = build(tmp_path, *extra)
    train(one, 8)
    checkpoint.save(tmp_path, "state.pt", "link", one.state_dict())
    ahead = [float(step.loss) for step in train(one, 8)]
    two = build(tmp_path, *extra)
    train(two, 3)
    two.load_state_dict(checkpoint.load(tmp_path / "state.pt"))
    assert (two.step, two.epoch, two.position) == (8, 2, two.position)
    assert [float(step.loss) for step in train(two, 8)] == ahead
    assert two.weights_sha256() == one.weights_sha256()
    assert [step.lr for step in train(one, 3)] == [step.lr for step in train(two, 3)]


def test_a_state_brings_its_optimizer_with_it(tmp_path):
    ran = run(tmp_path, at=["step 5: optimizer sgd lr=0.1 momentum=0.9", "step 8: batch 5", "step 9: stop"])
    made = build(tmp_path)
    made.load_state_dict(checkpoint.load(ran.path / "checkpoints" / "last.pt"))
    assert type(made.optimizer) is torch.optim.SGD
    assert (made.config.batch_size, made.step) == (5, 9)
    assert made.lineage == ran.trainer.lineage
    assert made.weights_sha256() == ran.last["weights_sha256"]
    assert made.rate == ran.trainer.rate


@pytest.mark.parametrize(
    ("preset", "extra", "words"),
    [
        ("diabetes", ["regularisation.label_smoothing=0.1"], "label_smoothing"),
        ("iris", ["loss.name=mse"], "loss.name"),
        ("iris", ["model.name=cnn"], "cnn"),
        ("iris", ["model.freeze=['*']"], "frozen"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(tmp_path, preset, extra, words):
    with pytest.raises(UserError, match=words):
        build(tmp_path, *extra, preset=preset)

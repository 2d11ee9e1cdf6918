"""A trainer through the loop: every optimizer and schedule, precision, state, and updates not finite."""

import math

import pytest
import torch
from running import Ran, config, run

from trainconsole.engine import checkpoint, data, meter, trainer
from trainconsole.engine.choices import AnyOptimizer, AnySchedule
from trainconsole.engine.curves import spans_run
from trainconsole.engine.errors import UserError
from trainconsole.engine.nonfinite import DeviceGuard
from trainconsole.engine.reading import variants
from trainconsole.engine.sources import epoch_order
from trainconsole.engine.trainer import Step, Trainer

CPU = torch.device("cpu")


def build(tmp_path, *assignments: str, preset: str = "iris") -> Trainer:
    chosen = config(preset, *assignments)
    return Trainer(chosen, data.load(chosen.data, chosen.seed, tmp_path, CPU), CPU)


def train(made: Trainer, steps: int) -> list[Step]:
    """So many updates; epochs are closed without an evaluation."""
    done = []
    for _ in range(steps):
        if made.epoch_complete:
            made.close_epoch({}, None)
        done.append(made.train_step())
    return done


# --- what a config can name -------------------------------------------------------------------------------


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


# --- counters and state -----------------------------------------------------------------------------------


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


# --- updates that are not finite --------------------------------------------------------------------------

BAD = 26
"""The row with a NaN."""

SPOILT = f"""
import torch

def load():
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(60, 4, generator=g), torch.arange(60) % 3
    clean = x[:20].clone(), y[:20]
    x[{BAD}, 2] = float("nan")
    return (x, y), clean, clean
"""
STEPS = 6


@pytest.fixture
def spoilt(own_code) -> list[str]:
    name = own_code(SPOILT)
    return [f"data.name={name}:load", "batch_size=10", "epochs=3", "optimizer.name=adam"]


@pytest.fixture(params=["host", "device"])
def guard(request, monkeypatch) -> str:
    """Both guards, the one for accelerators forced upon the CPU; numbers are read back at the very end."""
    if request.param == "device":
        monkeypatch.setattr(trainer, "build_guard", lambda m, d, sticky: DeviceGuard(m, d, sticky=sticky))
        monkeypatch.setattr(meter, "INTERVAL", 1e9)
    return str(request.param)


def bad_step(epoch: int, batch: int = 10) -> int:
    """The step of `epoch` whose batch holds the spoilt row."""
    return STEPS * (epoch - 1) + epoch_order(60, 0, epoch).tolist().index(BAD) // batch + 1


def is_finite(ran: Ran) -> bool:
    state = ran.checkpoint("last")
    return all(bool(value.isfinite().all()) for value in state["model"].values())


def samples(step: int) -> list[int]:
    epoch, first = (step - 1) // STEPS + 1, (step - 1) % STEPS * 10
    return epoch_order(60, 0, epoch)[first : first + 10].tolist()


def test_fail_ends_the_run_and_names_the_step(tmp_path, spoilt, guard):
    ran = run(tmp_path, "iris", *spoilt, "on_nonfinite=fail")
    bad = bad_step(1)
    assert (ran.last["type"], ran.last["kind"], ran.last["step"]) == ("failed", "nonfinite", bad)
    assert ran.last["trouble"] == {"step": bad, "samples": samples(bad), "layer": "inputs"}
    assert f"step {bad}" in ran.last["reason"]
    assert ran.rows["step"].tolist() == list(range(1, bad + 1))
    assert math.isnan(ran.rows["loss"][-1])
    state = ran.checkpoint("last")
    assert state["position"] == {"step": bad, "epoch": 0, "consumed": 10 * bad}
    assert is_finite(ran)


def test_pause_waits_and_resume_goes_on(tmp_path, spoilt, guard):
    ran = run(
        tmp_path, "iris", *spoilt, "on_nonfinite=pause", waits=["lr 0.01", "resume", "resume", "resume"]
    )
    bad = [bad_step(epoch) for epoch in (1, 2, 3)]
    pauses = ran.of("paused")
    assert [event["step"] for event in pauses] == bad
    assert {event["kind"] for event in pauses} == {"nonfinite"}
    assert [event["trouble"]["step"] for event in pauses] == bad
    assert [event["trouble"]["samples"] for event in pauses] == [samples(step) for step in bad]
    assert ran.applied[0]["step"] == bad[0]
    assert ran.last["reason"] == "completed"
    assert ran.rows["step"].tolist() == list(range(1, 3 * STEPS + 1))
    assert [i + 1 for i, loss in enumerate(ran.rows["loss"]) if math.isnan(loss)] == bad
    assert [event["epoch"] for event in ran.of("epoch")] == [1, 2, 3]
    assert is_finite(ran)


def test_skip_withholds_just_that_update(tmp_path, spoilt, guard):
    ran = run(tmp_path, "iris", *spoilt, "on_nonfinite=skip")
    bad = [bad_step(epoch) for epoch in (1, 2, 3)]
    assert ran.last["reason"] == "completed"
    assert [i + 1 for i, loss in enumerate(ran.rows["loss"]) if math.isnan(loss)] == bad
    warnings = ran.of("warning")
    assert [event["trouble"]["step"] for event in warnings] == bad
    assert {event["kind"] for event in warnings} == {"nonfinite"}
    assert ran.last["step"] == 3 * STEPS
    assert all(math.isfinite(event["train"]["loss"]) for event in ran.of("epoch"))
    assert is_finite(ran)


@pytest.mark.parametrize("policy", ["pause", "skip"])
def test_both_guards_end_with_the_same_weights(tmp_path, spoilt, monkeypatch, policy):
    waits = ["resume"] * 3 if policy == "pause" else []
    extra = [*spoilt, f"on_nonfinite={policy}"]
    host = run(tmp_path, "iris", *extra, waits=waits)
    monkeypatch.setattr(trainer, "build_guard", lambda m, d, sticky: DeviceGuard(m, d, sticky=sticky))
    monkeypatch.setattr(meter, "INTERVAL", 1e9)
    device = run(tmp_path, "iris", *extra, waits=waits)
    assert device.last["weights_sha256"] == host.last["weights_sha256"]
    assert [row[0] for row in device.curve()] == [row[0] for row in host.curve()]


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_a_return_to_the_flagged_step_restores_the_random_state_too(tmp_path, spoilt, monkeypatch, seconds):
    """When the numbers are read back must not decide which units dropout drops afterwards."""
    monkeypatch.setattr(trainer, "build_guard", lambda m, d, sticky: DeviceGuard(m, d, sticky=sticky))
    extra = [*spoilt, "on_nonfinite=pause", "model.dropout=0.5"]
    monkeypatch.setattr(meter, "INTERVAL", 0.0)
    reference = run(tmp_path, "iris", *extra, waits=["resume"] * 3)
    monkeypatch.setattr(meter, "INTERVAL", seconds)
    ran = run(tmp_path, "iris", *extra, waits=["resume"] * 3)
    assert ran.last["weights_sha256"] == reference.last["weights_sha256"]


def test_a_command_scripted_for_later_waits_for_its_step(tmp_path, spoilt, guard):
    """Numbers read back to serve it take the run back to the flagged step: the command is not for there."""
    bad = bad_step(1)
    at = [f"step {bad + 2}: lr 0.5"]
    ran = run(tmp_path, "iris", *spoilt, "on_nonfinite=pause", at=at, waits=["resume"] * 3)
    assert ran.applied[1 if ran.applied[0]["command"] == "resume" else 0]["step"] == bad + 2
    assert [bad + 2, "lr 0.5"] in ran.last["lineage"]


def test_a_command_after_the_failing_step_is_not_applied(tmp_path, spoilt, guard):
    bad = bad_step(1)
    ran = run(tmp_path, "iris", *spoilt, "on_nonfinite=fail", after={bad: ["lr 0.5"]})
    assert ran.last["type"] == "failed"
    assert ran.applied == []
    assert ran.checkpoint("last")["lineage"] == []


STEEP = """
import torch
from torch import nn

class Steep(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.calls = 0
    def forward(self, x):
        out = self.layer(x)
        if self.training and torch.is_grad_enabled():
            self.calls += 1
            if self.calls == 9:
                # The root of 0 has an infinite slope: the loss is finite, its gradient is not.
                return out + (out * 0).abs().sqrt()
        return out
"""


def test_a_gradient_that_is_not_finite_is_trouble_where_its_norm_is_known(tmp_path, own_code, guard):
    name = own_code(STEEP)
    extra = [f"model.name={name}:Steep", "regularisation.clip.norm=1.0", "on_nonfinite=fail"]
    ran = run(tmp_path, "iris", *extra)
    assert (ran.last["type"], ran.last["kind"]) == ("failed", "nonfinite")
    norms, step = ran.rows["grad_norm"], ran.last["trouble"]["step"]
    assert [i + 1 for i, norm in enumerate(norms) if not math.isfinite(norm)] == [step]
    assert ran.last["step"] == step == len(ran.rows)
    assert is_finite(ran)


def test_a_float16_overflow_is_the_scalers_business(tmp_path):
    """The scale starts at 65536 and is halved until the gradients fit; that is no trouble."""
    ran = run(tmp_path, "iris", "precision=float16", "on_nonfinite=fail", "regularisation.clip.norm=1.0")
    assert ran.last["reason"] == "completed"

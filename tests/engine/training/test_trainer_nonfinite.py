import math

import pytest
from support.running import Ran, run

from trainconsole.engine.data.loading.batches import epoch_order
from trainconsole.engine.optim.guard import DeviceGuard
from trainconsole.engine.reporting import readback
from trainconsole.engine.training import trainer

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
        monkeypatch.setattr(readback, "INTERVAL", 1e9)
    return str(request.param)


def bad_step(epoch: int, batch: int = 10) -> int:
    """The step of `epoch` whose batch holds the spoilt row."""
    return STEPS * (epoch - 1) + epoch_order(60, 0, epoch).tolist().index(BAD) // batch + 1


def is_finite(ran: Ran) -> bool:
    state = ran.checkpoint("last")
    return all(bool(value.isfinite().all()) for value in state["model"].values())


def test_fail_ends_the_run_and_names_the_step(tmp_path, spoilt, guard):
    ran = run(tmp_path, "iris", *spoilt, "on_nonfinite=fail")
    bad = bad_step(1)
    assert (ran.last["type"], ran.last["kind"], ran.last["step"]) == ("failed", "nonfinite", bad)
    assert ran.last["trouble"] == {"step": bad, "samples": [BAD], "layer": "inputs"}
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
    assert [event["trouble"]["samples"] for event in pauses] == [[BAD]] * 3
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
    told, *warnings = ran.of("warning")
    assert told["why"] == f"1 of the train inputs is NaN or infinite: row {BAD}, column 2"
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
    monkeypatch.setattr(readback, "INTERVAL", 1e9)
    device = run(tmp_path, "iris", *extra, waits=waits)
    assert device.last["weights_sha256"] == host.last["weights_sha256"]
    assert [row[0] for row in device.curve()] == [row[0] for row in host.curve()]


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_a_return_to_the_flagged_step_restores_the_random_state_too(tmp_path, spoilt, monkeypatch, seconds):
    """When the numbers are read back must not decide which units dropout drops afterwards."""
    monkeypatch.setattr(trainer, "build_guard", lambda m, d, sticky: DeviceGuard(m, d, sticky=sticky))
    extra = [*spoilt, "on_nonfinite=pause", "model.dropout=0.5"]
    monkeypatch.setattr(readback, "INTERVAL", 0.0)
    reference = run(tmp_path, "iris", *extra, waits=["resume"] * 3)
    monkeypatch.setattr(readback, "INTERVAL", seconds)
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

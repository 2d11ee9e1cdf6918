"""What cannot be saved is found before the first step, or before a swap; what can be is saved to the bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.resuming import go_on, live, start
from support.running import Ran, config, run_config

from trainconsole.engine.checks import trial_checkpoint
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.protocol.commands import Interrupt

SOURCE = """
from collections import deque
import numpy as np
import torch

class Base(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.update(self.state[p], p, group["lr"])

class Mixed(Base):
    "Numbers of numpy, a deque of a length, a text, an integer tensor, a double one: all of it counts."

    def update(self, s, p, lr):
        s["n"] = np.int64(s.get("n", 0) + 1)
        s["scale"] = np.float64(s.get("scale", 1.0) * 0.99)
        s.setdefault("recent", deque(maxlen=3)).append(p.grad.clone())
        s["kind"] = "even" if s.get("kind", "even") == "odd" else "odd"
        s["count"] = s.get("count", torch.zeros((), dtype=torch.int64)) + 2**24 + 1
        s["sum"] = s.get("sum", torch.zeros((), dtype=torch.float64)) + p.grad.double().sum()
        assert s["kind"] in ("even", "odd") and len(s["recent"]) <= 3
        assert s["count"].dtype == torch.int64
        noise = 1 + 1e-3 * float(s["sum"]) + (0.01 if s["kind"] == "odd" else 0)
        p.sub_(sum(s["recent"]), alpha=lr * s["scale"] * noise / len(s["recent"]))

class Function(torch.optim.SGD):
    def __init__(self, params, lr=0.1, weight_decay=0.0):
        super().__init__(params, lr, weight_decay=weight_decay)
        for group in self.param_groups:
            group["warmup"] = lambda step: 1.0

class Array(Base):
    def update(self, s, p, lr):
        s["history"] = np.zeros(3)

class Closure(Base):
    def step(self, closure=None):
        closure()
"""

REFUSED = {
    "Function": r"param_groups'\]\[0\]\['warmup'\] is a function",
    "Array": r"state'\]\[0\]\['history'\] is an array of NumPy",
    "Closure": "cannot be used here",
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_optimizer_that_cannot_be_saved_is_refused_before_training(
    tmp_path: Path, own_code: Callable[[str], str], name: str
) -> None:
    module = own_code(SOURCE)
    with pytest.raises(UserError, match=REFUSED[name]):
        run_config(tmp_path / "runs", config("iris", f"optimizer.name={module}:{name}", "optimizer.lr=0.1"))


def test_and_refused_by_a_swap_in_mid_run_which_goes_on(
    tmp_path: Path, own_code: Callable[[str], str]
) -> None:
    module = own_code(SOURCE)
    swaps = [f"optimizer {module}:{name} lr=0.1" for name in REFUSED]
    ran = run_config(tmp_path / "runs", config("iris"), after={5: swaps})
    assert ran.last["type"] == "finished"
    assert ran.applied == []
    assert ["which a checkpoint cannot keep" in answer["reason"] for answer in ran.rejected] == [
        True,
        True,
        False,
    ]
    assert ran.last["lineage"] == []


def test_a_state_of_many_kinds_comes_back_to_the_bit(tmp_path: Path, own_code: Callable[[str], str]) -> None:
    module = own_code(SOURCE)
    chosen = [f"optimizer.name={module}:Mixed", "optimizer.lr=0.01"]
    whole = live(start(tmp_path / "a", "iris", *chosen))
    first = live(start(tmp_path / "b", "iris", *chosen), after={9: [Interrupt(signal="SIGTERM")]})
    ran = live(go_on(first), after={11: ["lr x0.5"], 14: ["undo"], 15: ["rewind step 10"]})
    assert ran.last["type"] == "finished"
    assert ran.last["weights_sha256"] == whole.last["weights_sha256"]
    kept: dict[str, Any] = torch.load(ran.path / "checkpoints" / "last.pt", weights_only=True)
    assert type(kept["optimizer"]["state"][0]["n"]) is int
    assert type(kept["optimizer"]["state"][0]["scale"]) is float


def test_extra_state_that_is_no_tensor_is_kept(tmp_path: Path, own_code: Callable[[str], str]) -> None:
    module = own_code(
        """
import torch
class Extra(torch.nn.Linear):
    seen = 0
    def __init__(self):
        super().__init__(4, 3)
    def forward(self, x):
        self.seen += self.training
        return super().forward(x)
    def get_extra_state(self):
        return {"seen": self.seen, "words": ["a", "b"]}
    def set_extra_state(self, state):
        self.seen = state["seen"]
"""
    )
    name = f"model.name={module}:Extra"
    whole = live(start(tmp_path / "a", "iris", name))
    first = live(start(tmp_path / "b", "iris", name), after={9: [Interrupt(signal="SIGTERM")]})
    ran = live(go_on(first))
    assert ran.last["weights_sha256"] == whole.last["weights_sha256"]
    assert extra(ran) == extra(whole)


def extra(ran: Ran) -> Any:
    return ran.checkpoint("last")["model"]["_extra_state"]


@pytest.mark.filterwarnings("ignore:Validating sparse")
def test_the_trial_has_one_value_of_each_tensor(tmp_path: Path) -> None:
    state = {"format": 1, "model": {"a": torch.zeros(1000, 1000), "b": torch.eye(3).to_sparse()}}
    thin = trial_checkpoint.thinned(state)
    assert thin["model"]["a"].shape == (1,)
    assert thin["model"]["b"].is_sparse
    trial_checkpoint.try_saving(tmp_path / "checkpoints", state)
    assert list(tmp_path.iterdir()) == []

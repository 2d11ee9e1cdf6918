"""What accelerate puts around an optimizer, in a loop that is attached without an adapter."""

from pathlib import Path

import pytest
import torch
from torch import nn

pytest.importorskip("accelerate", reason="accelerate is not installed: make integrations")

from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from support.other_loops import Person, Record

import trainconsole


@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "under a GradScaler"])
def test_an_optimizer_is_swapped_inside_of_its_wrapper(scaled: bool, tmp_path: Path) -> None:
    """Under a scaler the wrapper keeps the bound method of the optimizer that it was given."""
    Accelerator(cpu=True)
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0) if scaled else None
    inner = torch.optim.Adam(model.parameters(), lr=0.1)
    wrapped = AcceleratedOptimizer(inner, device_placement=False, scaler=scaler)
    person = Person({2: ["optimizer sgd lr=0.5", "lr x2"]})
    with trainconsole.attach(model=model, optimizer=wrapped, runs_dir=tmp_path / "runs") as run:
        person.watch(inner)
        moved = []
        for update in range(4):
            assert run.boundary()
            before = model.weight.detach().clone()
            loss = model(torch.ones(1, 4)).sum()
            (scaler.scale(loss) if scaler else loss).backward()
            wrapped.step()
            wrapped.zero_grad()
            moved.append(float((before - model.weight.detach()).mean()))
            person.speak(update + 1)
        run.boundary()
    assert [used["kind"] for used in person.used] == ["Adam", "Adam", "SGD", "SGD"]
    assert moved[2:] == pytest.approx([1.0, 1.0])
    assert Record(tmp_path / "runs").rows["lr"].tolist() == pytest.approx([0.1, 0.1, 1.0, 1.0])

"""A step is tried before the run begins: what it finds, in words, and that it leaves no trace."""

import copy
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from support.running import Ran, config, run
from torch import nn

from trainconsole.engine.checks import trial_step
from trainconsole.engine.common.errors import UserError
from trainconsole.engine.data import load
from trainconsole.engine.models.in_place import untouched
from trainconsole.engine.tensors.random_state import random_state
from trainconsole.engine.training.trainer import Trainer

CPU = torch.device("cpu")
NETS = """
import random
import numpy as np
import torch
from torch import nn

class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.out, self.aux = nn.Linear(4, 3), nn.Linear(4, 3)
    def forward(self, x):
        return (self.out(x), self.aux(x)) if self.training else self.out(x)

class Wider(Two):
    def forward(self, x):
        return torch.cat([self.out(x), self.aux(x)], 1) if self.training else self.out(x)

class Breaks(Two):
    def forward(self, x):
        if self.training:
            raise ValueError("no teacher")
        return self.out(x)

class Bank(Two):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(0, 4))
    def forward(self, x):
        if self.training:
            self.seen = torch.cat([self.seen, x.detach()])
        return self.out(x)

class Late(Two):
    def forward(self, x):
        if self.training and not hasattr(self, "late"):
            self.late = nn.Parameter(torch.ones(3))
        return self.out(x)

class Graph(Two):
    def __init__(self, persistent=True):
        super().__init__()
        self.register_buffer("adjacency", torch.eye(4).to_sparse(), persistent=persistent)
    def forward(self, x):
        return self.out(torch.sparse.mm(self.adjacency, x.T).T)

class Embeds(Two):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(9, 3, sparse=True)
    def forward(self, x):
        return self.table((x[:, 0] > 0).long())

class InPlace(Two):
    def forward(self, x):
        y = self.out(x).exp()
        if self.training:
            y.mul_(2).add_(y.detach()[:, :1])
            y = y.sqrt(); y.add_(1)
            z = self.aux(x).sigmoid(); w = z * 1; z.add_(1); return y + z
        return y

class Clean(nn.Module):
    '''Statistics, draws from all generators, a counter, a dropout; `whole` False: it cannot be copied.'''
    def __init__(self, whole=True):
        super().__init__()
        self.a, self.norm, self.drop = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5)
        self.out, self.steps = nn.Linear(8, 3), 0
        if not whole:
            self.handle = (number for number in range(3))
    def forward(self, x):
        if self.training:
            self.steps += 1
            x = x + np.random.normal() + random.gauss(0, 1)
        return self.out(self.drop(torch.relu(self.norm(self.a(x)))))

class Chunks(Clean):
    '''One that holds a tensor that is no leaf, as weight_norm's do.'''
    def __init__(self):
        super().__init__()
        self.scaled = self.out.weight * 2

class Sam(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})
    def step(self, closure=None):
        assert closure is not None, "needs a closure"

class Required(Sam):
    def step(self, closure):
        closure()

class Silent(Sam):
    def step(self, closure=None):
        closure()

class Broken(Sam):
    def step(self, closure=None):
        raise RuntimeError("out of luck")

def detached():
    return lambda o, t: nn.functional.cross_entropy(o, t).detach()
"""
FOUND = {
    "model.name={}:Two": r"in training mode it returns a tuple, .*\nReturn the main output alone",
    "model.name={}:Wider": r"in training mode it returns \(3, 6\) .* needs \(N, 3\)",
    "model.name={}:Breaks": r"in training mode it fails .*\nValueError: no teacher \(own_code_\d+.py:\d+\)",
    "model.name={}:Bank": r"'seen' changed its shape in a training step, from \(0, 4\) to \(3, 4\)",
    "model.name={}:Late": r"'late' appeared in the first training step",
    "model.name={}:Embeds": r"optimizer Adam.*sparse.*\nThe gradient of 'table.weight' is sparse",
    "model.name={}:InPlace": r"the backward pass failed: .*inplace",
    "loss.name={}:detached": r"loss .*:detached: its value has no gradient.*\nLeave out detach\(\)",
    "optimizer.name={}:Sam": r"optimizer Sam: .*needs a closure .*\n.*\(LBFGS, SAM\)",
    "optimizer.name={}:Required": r"optimizer Required: .*\n.*\(LBFGS, SAM\)",
    "optimizer.name={}:Silent": r"optimizer Silent: .*\n.*\(LBFGS, SAM\)",
    "optimizer.name={}:Broken": r"optimizer Broken: step\(\) failed: RuntimeError: out of luck \(own_code",
}


@pytest.mark.parametrize(("chosen", "words"), FOUND.items(), ids=FOUND.keys())
def test_what_would_fail_in_training_is_told_before_it(
    own_code: Callable[[str], str], tmp_path: Path, chosen: str, words: str
) -> None:
    with pytest.raises(UserError, match=words) as told:
        run(tmp_path, "iris", chosen.format(own_code(NETS)))
    assert len(str(told.value).splitlines()) <= 3
    assert not [*tmp_path.glob("*/events.jsonl")]


@pytest.mark.filterwarnings("ignore:Validating sparse")
@pytest.mark.parametrize("persistent", ["true", "false"])
def test_a_sparse_buffer_trains_saved_or_not(
    own_code: Callable[[str], str], tmp_path: Path, persistent: str
) -> None:
    chosen = ["iris", f"model.name={own_code(NETS)}:Graph", f"model.args.persistent={persistent}"]
    ran = run(tmp_path, *chosen, after={8: ["checkpoint a"], 9: ["rewind a"]})
    assert ran.last["type"] == "finished"
    assert ran.rejected == []


@pytest.mark.parametrize("name", ["Sam", "Required", "Silent", "Broken"])
def test_an_optimizer_that_would_fail_is_refused_in_mid_run(
    own_code: Callable[[str], str], tmp_path: Path, plain_run: Ran, name: str
) -> None:
    ran = run(tmp_path, "iris", after={7: [f"optimizer {own_code(NETS)}:{name}"]})
    assert f"optimizer {name}: " in ran.rejected[0]["reason"]
    assert ran.last["weights_sha256"] == plain_run.last["weights_sha256"]


def build(tmp_path: Path, *assignments: str) -> Trainer:
    chosen = config("iris", *assignments)
    return Trainer(chosen, load.load(chosen.data, chosen.seed, tmp_path, CPU), CPU)


def same(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)  # type: ignore[arg-type]
    if isinstance(one, dict):
        return all(same(value, other[key]) for key, value in one.items())  # type: ignore[index]
    return one == other


MODELS = {
    "copied": ["model.name={}:Clean"],
    "lent": ["model.name={}:Clean", "model.args.whole=false"],
    "no leaf": ["model.name={}:Chunks"],
    "built in": ["model.batch_norm=true", "model.dropout=0.5"],
    "float16": ["model.name={}:Clean", "precision=float16"],
}


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("assignments", MODELS.values(), ids=MODELS.keys())
def test_no_trace_is_left(
    own_code: Callable[[str], str], tmp_path: Path, assignments: list[str], optimizer: str
) -> None:
    name = own_code(NETS)
    made = build(tmp_path, *(text.format(name) for text in assignments), f"optimizer.name={optimizer}")
    before, drawn = copy.deepcopy(made.state_dict()), random_state(CPU)
    modes = [module.training for module in made.model.modules()]
    trial_step.check_step(made)
    trial_step.check_step(made, config("iris", "optimizer.name=adagrad").optimizer)
    assert same(before, made.state_dict())
    assert same(drawn, random_state(CPU))
    assert [module.training for module in made.model.modules()] == modes
    assert all(parameter.grad is None for parameter in made.model.parameters())
    assert getattr(made.model, "steps", 0) == 0
    assert (made.step, made.consumed, type(made.optimizer).__name__.lower()) == (0, 0, optimizer)


def test_what_a_step_draws_from_is_noted(own_code: Callable[[str], str], tmp_path: Path) -> None:
    name = own_code(NETS)
    seen = []
    for chosen in (f"model.name={name}:Clean", "model.dropout=0.1", "model.dropout=0"):
        made = build(tmp_path, chosen)
        trial_step.check_step(made)
        seen.append((made.draws, made.draws_others))
    assert seen == [(True, True), (True, False), (False, False)]


def test_a_model_that_is_lent_is_put_back() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    before, layer = copy.deepcopy(model.state_dict()), model[0]
    with suppress(ZeroDivisionError), untouched(model):
        model(torch.randn(4, 2)).sum().backward()
        with torch.no_grad():
            model[0].weight.zero_()
        model[0].register_buffer("late", torch.ones(1))
        model.note, model[1].training = "here", False  # type: ignore[assignment]
        model[0] = nn.Linear(3, 3)
        raise ZeroDivisionError
    assert model[0] is layer
    assert same(before, model.state_dict())
    assert list(before) == list(model.state_dict())
    assert (hasattr(model, "note"), model[1].training, layer.weight.grad) == (False, True, None)


LAZY = """
import torch
from torch import nn
def images(): return torch.rand(40, 3, 16, 16), torch.arange(40) % 2
class LazyConv(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.bn, self.b = nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.LazyLinear(2)
    def forward(self, x):
        return self.b(self.bn(torch.relu(self.a(x))).flatten(1))
"""


def test_lazy_layers_take_their_shape_before_the_memory_format(
    own_code: Callable[[str], str], tmp_path: Path
) -> None:
    name = own_code(LAZY)
    first = run(tmp_path, "iris", f"data.name={name}:images", f"model.name={name}:LazyConv", "epochs=1")
    weight = first.trainer.model.get_parameter("a.weight")
    assert weight.is_contiguous(memory_format=torch.channels_last)
    second = run(tmp_path, "iris", *first_config(name), f"model.init_from={first.path}", "epochs=1")
    assert second.last["type"] == "finished"


def first_config(name: str) -> list[str]:
    return [f"data.name={name}:images", f"model.name={name}:LazyConv"]

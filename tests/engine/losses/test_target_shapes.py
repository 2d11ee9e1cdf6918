"""Outputs and targets that merely broadcast are shaped, or refused before training."""

import logging

import pytest
import torch
from support.process import trainconsole
from support.running import run

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.losses.target_shapes import by_rows, like_outputs
from trainconsole.engine.reporting.python_warnings import MOST, Heard

LINE = """
import torch
from torch import nn
from torch.utils.data import Dataset, IterableDataset

X = torch.randn(61, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).float()
Y = X @ torch.tensor([1.0, -2.0, 3.0])

class Rows(Dataset):
    def __len__(self): return 61
    def __getitem__(self, i): return X[i], Y[i]

class Flow(IterableDataset):
    def __len__(self): return 61
    def __iter__(self): return iter([(X[i], Y[i]) for i in range(61)])

def tensors(): return {"train": (X, Y), "val": (X, Y), "test": (X, Y)}
def columns(): return {"train": (X, Y[:, None]), "val": (X, Y[:, None]), "test": (X, Y[:, None])}
def dataset(): return {"train": Rows(), "val": Rows(), "test": Rows()}
def stream(): return {"train": Flow(), "val": Flow(), "test": Flow()}

class Exact(nn.Module):
    def __init__(self, form="flat"):
        super().__init__()
        self.out, self.form = nn.Linear(3, 1, bias=False), form
        with torch.no_grad():
            self.out.weight.copy_(torch.tensor([[1.0, -2.0, 3.0]]))
    def forward(self, x):
        out = self.out(x)
        return {"flat": out[:, 0], "column": out, "squeezed": out.squeeze()}[self.form]
"""


@pytest.mark.parametrize("form", ["flat", "column", "squeezed"])
@pytest.mark.parametrize("way", ["tensors", "columns", "dataset", "stream"])
def test_a_loss_of_ones_own_measures_a_perfect_model_as_perfect(tmp_path, own_code, way, form):
    """y = X.w exactly, also on a last batch of one row: a loss that broadcasts would be far from 0."""
    name = own_code(LINE)
    ran = run(
        tmp_path,
        "iris",
        "epochs=1",
        f"data.name={name}:{way}",
        f"model.name={name}:Exact",
        f'model.args.form="{form}"',
        "loss.name=torch.nn:MSELoss",
        "batch_size=6",
        "evaluation.batch_size=6",
    )
    assert ran.last["test"]["r2"] == pytest.approx(1.0, abs=1e-9)
    assert ran.last["test"]["loss"] == pytest.approx(0.0, abs=1e-9)
    assert max(ran.rows["loss"]) == pytest.approx(0.0, abs=1e-9)
    assert not ran.of("warning")[1:]


OWN = """
import warnings
import torch
from torch import nn

def squares(): return lambda outputs, targets: ((outputs - targets) ** 2).mean()
def number(): return lambda outputs, targets: 1.0

def warns():
    def loss(outputs, targets):
        if outputs.requires_grad:
            warnings.warn("these weights look odd\\nand more")
        return nn.functional.cross_entropy(outputs, targets)
    return loss
"""


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("torch.nn:MSELoss", r"(size|match).*\n.*outputs float32 \(2, 3\) and targets int64 \(2,\)"),
        ("squares", r"size.*\n.*outputs float32 \(2, 3\) and targets int64 \(2,\)"),
        ("number", "gives a float, not a Tensor"),
    ],
)
def test_a_loss_that_would_broadcast_is_refused_whatever_the_batch_size(tmp_path, own_code, loss, expected):
    """Three classes and batches of three rows broadcast without an error."""
    name = own_code(OWN)
    target = loss if ":" in loss else f"{name}:{loss}"
    with pytest.raises(UserError, match=expected) as caught:
        run(tmp_path, "iris", f"loss.name={target}", "batch_size=3")
    assert len(str(caught.value).splitlines()) <= 3


def test_warnings_of_a_step_reach_the_record_and_stderr(tmp_path):
    (tmp_path / "odd.py").write_text(OWN)
    args = ("--preset", "iris", "--set", "epochs=2", "--set", "loss.name=odd:warns", "--threads", "1")
    ended = trainconsole(*args, "--no-ui", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert ended.err.count("these weights look odd") == 1
    record = next((tmp_path / "runs").iterdir()) / "events.jsonl"
    assert '"why":"these weights look odd (' in record.read_text()


def test_each_warning_is_heard_once_and_no_flood_of_them():
    heard = Heard()

    def log(text: str, kind: str = "UserWarning") -> None:
        heard.handle(logging.makeLogRecord({"msg": f"/a/b.py:3: {kind}: {text}\n  x = 1\n"}))

    log("one")
    log("one")
    log("old", "DeprecationWarning")
    assert heard.take() == ["one (/a/b.py:3)"]
    for number in range(100):
        log(f"number {number}", "RuntimeWarning")
    assert len(heard.take()) == MOST - 1
    assert heard.take() == []


@pytest.mark.parametrize(
    ("targets", "outputs", "shape"),
    [
        ((5, 1), (5,), (5,)),
        ((5,), (5, 1), (5, 1)),
        ((1, 1), (), ()),
        ((5, 2), (5, 2), (5, 2)),
        ((5,), (5, 3), (5,)),
    ],
)
def test_targets_take_the_shape_of_outputs_of_one_number_a_row(targets, outputs, shape):
    assert like_outputs(torch.zeros(targets), torch.zeros(outputs)).shape == shape


def test_outputs_of_one_row_keep_their_row():
    assert by_rows(torch.zeros(()), 1).shape == (1, 1)
    assert by_rows(torch.zeros(4), 1).shape == (1, 4)
    assert by_rows(torch.zeros(1, 4), 1).shape == (1, 4)
    assert by_rows(torch.zeros(3), 3).shape == (3,)

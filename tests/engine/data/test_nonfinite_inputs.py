"""What is not finite in the data is counted in every part before training, and named by its own row."""

import math

import pytest
from support.running import run

from trainconsole.engine.common.errors import UserError

HEAD = """
import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("int64")

class Rows(Dataset):
    def __init__(self, x, y): self.x, self.y = torch.tensor(x), torch.tensor(y)
    def __len__(self): return len(self.x)
    def __getitem__(self, i): return self.x[i], self.y[i]

class Flow(IterableDataset):
    classes = ["a", "b"]
    def __init__(self, x, y): self.x, self.y = torch.tensor(x), torch.tensor(y)
    def __len__(self): return len(self.x)
    def __iter__(self): return iter([*zip(self.x, self.y)])

def spoilt(*places):
    x = X.copy()
    for place in places: x[place] = np.nan
    return x
"""


def warnings(ran) -> list[str]:
    return [event["why"] for event in ran.of("warning")]


@pytest.mark.parametrize("seed", [0, 1])
def test_tensors_are_counted_after_the_split_by_the_rows_of_the_user(tmp_path, own_code, seed):
    name = own_code(HEAD + "def load(): return spoilt((7, 2), (7, 3), (30, 2), (59, 0)), Y\n")
    ran = run(tmp_path, "iris", f"data.name={name}:load", "on_nonfinite=skip", f"seed={seed}", "epochs=1")
    told = [text for text in warnings(ran) if "NaN or infinite" in text]
    found = {row for text in told for row in (7, 30, 59) if f" {row}," in text.replace(" and", ",")}
    assert found == {7, 30, 59}
    assert sum(int(text.split()[0]) for text in told) == 4


@pytest.mark.parametrize("part", ["val", "test"])
@pytest.mark.parametrize("kind", ["", "Rows", "Flow"])
def test_a_loss_that_cannot_be_measured_has_a_word_in_every_part(tmp_path, own_code, part, kind):
    name = own_code(
        HEAD + f"def load():\n"
        f"    parts = {{n: {kind}(X, Y) for n in ('train', 'val', 'test')}}\n"
        f"    parts['{part}'] = {kind}(spoilt((7, 2), (21, 0)), Y)\n    return parts\n"
    )
    ran = run(tmp_path, "iris", f"data.name={name}:load", "data.scaling=none", "epochs=2")
    word = {"val": "validation"}.get(part, part)
    wanted = f"the {word} loss is not a finite number: the inputs of {word} rows 7, 21 are not finite"
    assert warnings(ran).count(wanted) == 1
    before = f"2 of the {part} inputs are NaN or infinite: rows 7, 21, columns 0, 2"
    assert (before in warnings(ran)) == (kind == "")


def test_samples_that_were_looked_at_are_told_of_beforehand(tmp_path, own_code):
    """The last of 60 is looked at: also where a NaN target makes it the reason of a refusal."""
    name = own_code(
        HEAD + "def load(): return Rows(spoilt((59, 1)), Y)\n"
        "def targets():\n    y = X[:, 0].copy()\n    y[59] = np.nan\n    return Rows(X, y)\n"
    )
    options = ["iris", "data.scaling=none", "epochs=1", "on_nonfinite=skip"]
    ran = run(tmp_path, *options, f"data.name={name}:load")
    told = "1 of 16 train samples that were looked at hold NaN or infinite inputs: sample 59"
    assert told in warnings(ran)
    with pytest.raises(UserError, match=r"hold 1 that is not a finite number .*: row 59"):
        run(tmp_path / "more", *options, f"data.name={name}:targets")


def test_a_loss_of_a_model_that_is_not_finite_is_not_put_on_the_data(tmp_path, own_code):
    name = own_code(
        HEAD + "def load(): return {'train': (X, Y), 'val': (X, Y)}\n"
        "class Net(torch.nn.Linear):\n"
        "    def __init__(self): super().__init__(4, 2)\n"
        "    def forward(self, x):\n"
        "        return super().forward(x) if self.training else super().forward(x) / 0\n"
    )
    ran = run(tmp_path, "iris", f"data.name={name}:load", f"model.name={name}:Net", "epochs=1")
    assert any(
        "validation data is finite, what the model or the loss makes" in text for text in warnings(ran)
    )


def test_evaluate_says_it_too(tmp_path, own_code):
    from trainconsole.engine.session import evaluation

    name = own_code(HEAD + "def load(): return {'train': (X, Y), 'test': (spoilt((3, 1)), Y)}\n")
    ran = run(tmp_path, "iris", f"data.name={name}:load", "epochs=1")
    found = evaluation.evaluate(ran.launch)
    assert math.isnan(found.metrics["loss"])
    assert "the inputs of test row 3 are not finite" in found.warning


def test_a_batch_with_nan_targets_is_named_as_that(tmp_path, own_code):
    """Of a dataset only samples are looked at beforehand; the one that was missed is named by its index."""
    name = own_code(HEAD + "def load():\n    y = X[:, 0].copy()\n    y[5] = np.nan\n    return Rows(X, y)\n")
    ran = run(
        tmp_path,
        "diabetes",
        f"data.name={name}:load",
        "on_nonfinite=fail",
        "data.target_scaling=none",
        "data.scaling=none",
        "epochs=1",
        "data.split.test=0",
        "data.split.validation=0",
    )
    assert ran.last["trouble"]["layer"] == "targets"
    assert ran.last["trouble"]["samples"] == [5]

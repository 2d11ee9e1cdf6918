import sys

import pytest
import torch
from support.loading import loaded

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.data import (
    Digits,
    ImportedData,
    Iris,
    Split,
    Threshold,
)
from trainconsole.engine.data.load import Data
from trainconsole.engine.data.loading.batches import DatasetSource, StreamSource

CPU = torch.device("cpu")
IRIS = Split(seed=42, stratify_test=False, test=0.2, validation=0.2)


def test_fingerprint_tells_data_and_splits_apart():
    prints = {
        loaded(config, seed=seed).fingerprint
        for seed in (0, 1)
        for config in (Iris(), Digits(), Iris(limit=100), Threshold())
    }
    assert len(prints) == 8
    assert loaded(Iris()).fingerprint == loaded(Iris()).fingerprint


HEAD = "import numpy as np\nimport torch\nfrom torch.utils.data import *\n"
MAP = """
class Rows(Dataset):
    def __init__(self, n): self.n = n
    def __len__(self): return self.n
    def __getitem__(self, i): return torch.full((3, 4, 4), float(i)), i % 2
"""
STREAM = """
class Flow(IterableDataset):
    classes = ["even", "odd"]
    def __iter__(self): return ((torch.tensor([float(i)]), i % 2) for i in range(100))
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Loads data from the text of a module that has load()."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def load_own(text: str, **options) -> Data:
        (tmp_path / "their_data.py").write_text(HEAD + text)
        sys.modules.pop("their_data", None)
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        try:
            return loaded(ImportedData(target="their_data:load", **options))
        finally:
            sys.dont_write_bytecode = before

    yield load_own
    sys.modules.pop("their_data", None)


def test_own_arrays_are_split_like_ours(own):
    text = (
        "from sklearn.datasets import load_iris\n"
        "def load(scale): x, y = load_iris(return_X_y=True); return x * scale, y\n"
    )
    data = own(text, args={"scale": 1.0}, split=IRIS, scaling="standard")
    ours = loaded(Iris(split=IRIS, scaling="standard"))
    assert torch.equal(data.train.inputs, ours.train.inputs)
    assert torch.equal(data.test.targets, ours.test.targets)
    assert data.classes == ("0", "1", "2")


def test_own_parts_are_kept_and_labels_keep_their_names(own):
    text = "def part(n): return torch.rand(n, 5), torch.arange(n) % 2 * 2 - 1\n"
    data = own(text + "def load(): return part(30), part(10), part(20)\n")
    assert data.sizes == {"train": 30, "val": 10, "test": 20}
    assert data.classes == ("-1", "1")
    data = own(text + "def load(): return part(30), part(20)\n", split=Split(validation=0.2))
    assert data.sizes == {"train": 24, "val": 6, "test": 20}
    data = own(text + "def load(): return {'train': part(30), 'val': part(7)}\n")
    assert data.sizes == {"train": 24, "val": 7, "test": 6}


def test_own_regression_and_soft_targets(own):
    data = own("def load(): return torch.rand(40, 5), torch.rand(40)\n")
    assert (data.task, data.train.targets.shape[1]) == ("regression", 1)
    data = own("def load(): return torch.rand(40, 5), torch.rand(40, 3).softmax(1)\n")
    assert (data.task, data.classes) == ("classification", ("0", "1", "2"))
    assert data.train.targets.dtype == torch.float32
    assert sum(data.class_counts["train"].values()) == data.train.size


def test_tensor_dataset_is_taken_as_tensors(own):
    data = own(
        "def load(): return TensorDataset(torch.rand(40, 5), torch.arange(40) % 2)\n", scaling="minmax"
    )
    assert data.train.inputs.max() == 1


@pytest.mark.parametrize("workers", [0, 2])
def test_own_dataset_is_divided_by_index(own, workers):
    data = own(MAP + "def load(): return Rows(100)\n", workers=workers)
    assert isinstance(data.train, DatasetSource)
    assert data.sizes == {"train": 72, "val": 8, "test": 20}
    assert data.class_counts["test"] == {"0": 10, "1": 10}
    assert (data.input_shape, data.images, data.exact) == ((3, 4, 4), True, "")
    seen = [
        int(x[0, 0, 0])
        for source in (data.train, data.val, data.test)
        for xs, _ in source.batches(torch.arange(source.size), 0, 16)
        for x in xs
    ]
    assert sorted(seen) == list(range(100))


def test_own_dataset_balances_by_labels_that_were_read(own):
    text = MAP.replace("i % 2", "int(i % 10 == 0)")
    data = own(text + "def load(): return Rows(100)\n", balance="oversample")
    assert data.epoch_size == 2 * data.class_counts["train"]["0"]


def test_own_stream_says_that_it_is_not_exact(own):
    data = own(STREAM + "def load(): return Flow()\n", length=40)
    assert isinstance(data.train, StreamSource)
    assert (data.sizes["train"], data.val, data.test) == (40, None, None)
    assert data.classes == ("even", "odd")
    assert "exact only where the stream gives the same ones again" in data.exact
    assert sum(len(x) for x, _ in data.train.batches(data.order(0, 1), 0, 16)) == 40


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("def load(): return 5\n", {}, "returned one int"),
        ("def load(): return [1, 2]\n", {}, r"a list of \(int, int\)"),
        ("def load(): return {'tarin': 1}\n", {}, "tarin"),
        ("def load(): return torch.rand(4, 2), torch.rand(5)\n", {}, r"\(4, 2\).*\(5,\).*do not fit"),
        ("def load(): return torch.rand(0, 2), torch.rand(0)\n", {}, "empty"),
        ("def load(): return torch.rand(9), torch.rand(9)\n", {}, "do not fit"),
        ("def load(): return np.array([['a'], [None]]), np.zeros(2)\n", {}, "dtype object"),
        ("def load(): return np.array([['a'], ['b']]), np.zeros(2)\n", {}, "not numbers"),
        ("def load(): return torch.rand(9, 2), torch.rand(9, 2) - 5\n", {}, "nor probabilities"),
        ("def load(): return torch.rand(9, 2), torch.zeros(9).long()\n", {}, "two classes"),
        ("def load(): return torch.rand(4, 2).cfloat(), torch.rand(4)\n", {}, "complex"),
        ("def load(): raise KeyError('nothing')\n", {}, r"KeyError: 'nothing' \(their_data\.py:4\)"),
        ("def load(): return 1\n", {"args": {"no": 1}}, "TypeError"),
        ("def laod(): pass\n", {}, "did you mean 'laod'"),
        (MAP + "def load(): return Rows(0)\n", {}, "empty"),
        (MAP + "def load(): return Rows(50)\n", {"scaling": "standard"}, "set it to 'none'"),
        (MAP + "def load(): return Rows(50)\n", {"classes": (0, 1)}, "tensors"),
        (MAP + "def load(): return Rows(50), (torch.rand(9, 2), torch.zeros(9).long())\n", {}, "shape"),
        (
            MAP.replace("i % 2", "{'x': 1}") + "def load(): return Rows(50)\n",
            {},
            r"\(tensor, number or tensor\)",
        ),
        (MAP.replace("), i % 2", ")") + "def load(): return Rows(50)\n", {}, r"\(input, target\)"),
        (MAP.replace("i % 2", "1 / 0") + "def load(): return Rows(50)\n", {}, "ZeroDivisionError"),
        (MAP + "def load(): return Rows(10**6)\n", {}, "neither its classes nor its targets"),
        (STREAM + "def load(): return Flow()\n", {}, r"data\.length"),
        (STREAM + "def load(): return Flow()\n", {"length": 9, "limit": 3}, r"data\.limit"),
        (STREAM + "def load(): return Flow()\n", {"length": 9, "balance": "oversample"}, r"data\.balance"),
    ],
)
def test_what_does_not_fit_is_said_in_three_lines(own, text, options, expected):
    with pytest.raises(UserError, match=expected) as caught:
        own(text, **options)
    assert len(str(caught.value).splitlines()) <= 3


def test_own_labels_beyond_the_classes(own):
    text = MAP + "class Named(Rows):\n    classes = ['a']\n    targets = [i % 2 for i in range(50)]\n"
    with pytest.raises(UserError, match=r"names 1 \(a\), and the targets are 0, 1"):
        own(text + "def load(): return Named(50)\n")

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.class_weight import compute_class_weight

from trainconsole.engine import config as c
from trainconsole.engine.data import Data, load
from trainconsole.engine.errors import UserError
from trainconsole.engine.scaling import Scaling, fit
from trainconsole.engine.sources import DatasetSource, StreamSource

CPU = torch.device("cpu")
IRIS = c.Split(seed=42, stratify_test=False, test=0.2, validation=0.2)


def loaded(config: c.AnyData, seed: int = 0) -> Data:
    return load(config, seed, Path("unused"), CPU)


# --- splits and scaling -----------------------------------------------------------------------------------


def test_iris_is_split_and_standardised_as_sklearn_does():
    inputs, targets = load_iris(return_X_y=True)
    x, x_test, y, y_test = train_test_split(inputs, targets, test_size=0.2, random_state=42)
    x, x_val, y, y_val = train_test_split(x, y, test_size=0.2, random_state=42, stratify=y)
    scaler = StandardScaler().fit(x)
    data = loaded(c.Iris(split=IRIS, scaling="standard"), seed=7)
    for source, part, labels in ((data.train, x, y), (data.val, x_val, y_val), (data.test, x_test, y_test)):
        assert np.allclose(source.inputs.numpy(), scaler.transform(part), atol=1e-6)
        assert source.targets.tolist() == labels.tolist()
    assert data.sizes == {"train": 96, "val": 24, "test": 30}
    assert data.classes == ("setosa", "versicolor", "virginica")
    assert sum(data.class_counts["test"].values()) == 30
    assert (data.task, data.input_shape, data.images) == ("classification", (4,), False)


def test_run_seed_splits_unless_the_split_has_its_own():
    def first(seed: int, split: c.Split) -> torch.Tensor:
        return loaded(c.Iris(split=split), seed).train.inputs

    assert not torch.equal(first(1, c.Split()), first(2, c.Split()))
    assert torch.equal(first(1, c.Split(seed=5)), first(2, c.Split(seed=5)))
    assert torch.equal(first(2**40 + 1, c.Split()), first(2**40 + 1, c.Split()))


def test_no_validation_and_no_test():
    data = loaded(c.Iris(split=c.Split(validation=0, test=0)))
    assert data.val is None
    assert data.test is None
    assert data.train.size == 150
    assert data.sizes["val"] == 0


def test_regression_is_not_stratified_and_scales_its_targets_on_the_training_part():
    inputs, targets = load_diabetes(return_X_y=True)
    x, _, y, y_test = train_test_split(inputs, targets, test_size=0.2, random_state=3)
    data = loaded(c.Diabetes(target_scaling="standard", split=c.Split(validation=0, seed=3)))
    assert (data.task, data.classes) == ("regression", ())
    assert data.train.targets.shape == (353, 1)
    assert data.train.targets.mean().abs() < 1e-5
    assert np.allclose(data.train.inputs, x, atol=1e-6)
    back = data.target_scaling.invert(data.test.targets)
    assert np.allclose(back.flatten(), y_test, rtol=1e-4)
    assert np.allclose(data.target_scaling.offset[0], y.mean())


def test_target_scaling_of_classes_is_refused():
    with pytest.raises(UserError, match="target_scaling"):
        loaded(c.Iris(target_scaling="standard"))


def test_scaling_is_fitted_on_the_training_part_only():
    raw = loaded(c.Classification())
    data = loaded(c.Classification(scaling="standard"))
    x = raw.train.inputs.double()
    assert np.allclose(data.scaling.offset, x.mean(0), atol=1e-6)
    assert np.allclose(data.scaling.factor, 1 / x.std(0, correction=0), rtol=1e-6)
    assert data.test.inputs.mean(0).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["standard", "minmax", "minmax_signed"])
def test_scalers_against_sklearn_with_a_constant_column(kind):
    x = np.random.default_rng(0).normal(5, 3, (50, 4))
    x[:, 2] = 7.0
    oracle = {
        "standard": StandardScaler(),
        "minmax": MinMaxScaler(),
        "minmax_signed": MinMaxScaler(feature_range=(-1, 1)),
    }[kind]
    wanted = oracle.fit_transform(x)
    scaling = fit(kind, torch.from_numpy(x))
    got = scaling.apply(torch.from_numpy(x)).numpy()
    constant = np.arange(4) == 2
    assert np.allclose(got[:, ~constant], wanted[:, ~constant], atol=1e-6)
    assert (got[:, constant] == 0).all()
    assert scaling.factor[2] == 1.0 or kind == "minmax_signed"
    assert np.allclose(scaling.invert(torch.from_numpy(got).double()), x, atol=1e-5)


def test_image_scaling_is_per_channel_and_starts_from_unit_bytes():
    images = torch.randint(0, 256, (20, 3, 4, 5), dtype=torch.uint8)
    scaling = fit("standard", images)
    floats = images.double() / 255
    assert np.allclose(scaling.offset, floats.mean((0, 2, 3)))
    assert np.allclose(scaling.factor, 1 / floats.std((0, 2, 3), correction=0))


def test_non_finite_values_do_not_count_and_pass_through():
    x = torch.tensor([[1.0, float("nan")], [3.0, float("nan")], [float("inf"), float("nan")]])
    scaling = fit("standard", x)
    assert (scaling.offset, scaling.factor) == ((2.0, 0.0), (1.0, 1.0))
    assert scaling.apply(x)[2, 0] == float("inf")


def test_no_scaling_has_no_numbers():
    assert fit("none", torch.ones(3, 2)) == Scaling("none", (), ())


# --- classes, limit, balance ------------------------------------------------------------------------------


def test_classes_are_kept_and_relabelled_in_the_given_order():
    whole = loaded(c.Digits())
    data = loaded(c.Digits(classes=(7, 2, 5)))
    assert data.classes == ("7", "2", "5")
    assert set(data.train.targets.tolist()) == {0, 1, 2}
    counted = {n: sum(part.get(n, 0) for part in whole.class_counts.values()) for n in "725"}
    assert counted == {n: sum(part[n] for part in data.class_counts.values()) for n in "725"}


@pytest.mark.parametrize("classes", [(3,), (1, 1), (0, 10), (-1, 2)])
def test_impossible_classes(classes):
    with pytest.raises(UserError, match=r"data\.classes"):
        loaded(c.Digits(classes=classes))


def test_classes_of_a_regression():
    with pytest.raises(UserError, match="regression"):
        loaded(c.Diabetes(classes=(0, 1)))


def test_limit_caps_the_rows_for_training_and_leaves_the_test_part_alone():
    data = loaded(c.Digits(limit=200))
    assert data.sizes == {"train": 180, "val": 20, "test": 360}
    assert set(data.class_counts["train"].values()) <= {17, 18, 19}
    assert torch.equal(data.test.inputs, loaded(c.Digits()).test.inputs)
    assert loaded(c.Digits(limit=5, split=c.Split(validation=0))).sizes["train"] == 5


def test_share_that_cannot_be_had():
    with pytest.raises(UserError, match=r"data\.split\.validation") as caught:
        loaded(c.Classification(limit=1))
    assert len(str(caught.value).splitlines()) <= 3


def test_too_few_rows_to_stratify_are_divided_plainly_with_a_warning():
    data = loaded(c.Digits(limit=20))
    assert data.sizes == {"train": 18, "val": 2, "test": 360}
    assert "the validation part is not stratified" in data.warning
    assert loaded(c.Digits()).warning == ""


def test_class_weights_as_sklearns_balanced():
    data = loaded(c.Classification(weights=(0.95,), balance="class_weights"))
    labels = data.train.targets.numpy()
    wanted = compute_class_weight("balanced", classes=np.arange(2), y=labels)
    assert np.allclose(data.class_weights, wanted)
    assert data.pool is None
    assert data.weights is None


def test_weighted_sampler_draws_classes_evenly():
    data = loaded(c.Classification(weights=(0.95,), balance="weighted_sampler"))
    order = torch.cat([data.order(0, epoch) for epoch in range(1, 11)])
    assert len(data.order(0, 1)) == data.epoch_size == data.train.size
    assert abs(data.train.targets[order].float().mean() - 0.5) < 0.03


def test_oversample_repeats_the_minority_up_to_the_majority():
    data = loaded(c.Classification(weights=(0.95,), balance="oversample"))
    counts = torch.bincount(data.train.targets)
    drawn = torch.bincount(data.train.targets[data.order(0, 1)])
    assert drawn.tolist() == [int(counts.max())] * 2
    assert data.epoch_size == 2 * int(counts.max()) > data.train.size
    assert set(data.order(0, 1).tolist()) == set(range(data.train.size))
    repeats = torch.bincount(data.order(0, 1))
    assert repeats.max() - repeats[data.train.targets == 1].min() <= 1


def test_balance_of_a_regression_is_refused():
    with pytest.raises(UserError, match=r"data\.balance"):
        loaded(c.Diabetes(balance="oversample"))


def test_order_depends_on_seed_and_epoch_only():
    data, again = loaded(c.Digits()), loaded(c.Digits())
    torch.manual_seed(5)
    assert torch.equal(data.order(3, 4), again.order(3, 4))
    assert not torch.equal(data.order(3, 4), data.order(3, 5))
    assert not torch.equal(data.order(3, 4), data.order(4, 4))


def test_fingerprint_tells_data_and_splits_apart():
    prints = {
        loaded(config, seed).fingerprint
        for seed in (0, 1)
        for config in (c.Iris(), c.Digits(), c.Iris(limit=100), c.Threshold())
    }
    assert len(prints) == 8
    assert loaded(c.Iris()).fingerprint == loaded(c.Iris()).fingerprint


# --- the user's own ---------------------------------------------------------------------------------------

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
            return loaded(c.ImportedData(target="their_data:load", **options))
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
    ours = loaded(c.Iris(split=IRIS, scaling="standard"))
    assert torch.equal(data.train.inputs, ours.train.inputs)
    assert torch.equal(data.test.targets, ours.test.targets)
    assert data.classes == ("0", "1", "2")


def test_own_parts_are_kept_and_labels_keep_their_names(own):
    text = "def part(n): return torch.rand(n, 5), torch.arange(n) % 2 * 2 - 1\n"
    data = own(text + "def load(): return part(30), part(10), part(20)\n")
    assert data.sizes == {"train": 30, "val": 10, "test": 20}
    assert data.classes == ("-1", "1")
    data = own(text + "def load(): return part(30), part(20)\n", split=c.Split(validation=0.2))
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
    assert "inexactly" in data.exact
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
        ("def load(): return np.zeros((2, 2)), np.array(['a', 'b'])\n", {}, "not numbers"),
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
        (MAP.replace("i % 2", "'x'") + "def load(): return Rows(50)\n", {}, r"\(tensor, number or tensor\)"),
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
    with pytest.raises(UserError, match="outside 0 to 0"):
        own(text + "def load(): return Named(50)\n")

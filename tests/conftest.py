"""Fixtures for all tests."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hosting import Hosts


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """A torchvision root with real MNIST files: $TRAINCONSOLE_MNIST, or shared/data/mnist beside us."""
    beside = Path(__file__).parents[2] / "shared" / "data" / "mnist"
    root = Path(os.environ.get("TRAINCONSOLE_MNIST", beside))
    if not (root / "MNIST" / "raw" / "train-images-idx3-ubyte").is_file():
        pytest.skip(f"no MNIST files in {root}; set TRAINCONSOLE_MNIST to a torchvision root that has them")
    return root


@pytest.fixture(autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of live hosts for each test alone: those of other tests are nobody's business."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    """Background runs in `tmp_path`, killed at the end of the test."""
    started = Hosts(tmp_path)
    yield started
    started.end()


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory whose path leaves room for a socket's: pytest's own can be too long for one."""
    with tempfile.TemporaryDirectory(prefix="tc", dir="/tmp") as made:
        yield Path(made)

"""Fixtures for all tests."""

import logging
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.hosting import Hosts


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


@pytest.fixture(autouse=True)
def heard_signals() -> Iterator[None]:
    """A command that runs in this process holds signals back for the host that it is about to be."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.fixture(autouse=True)
def heard_logs() -> Iterator[None]:
    """A host in this process has what is logged to itself: the next test hears it again."""
    loggers = [logging.getLogger(name) for name in ("trainconsole", "py.warnings")]
    before = [(list(log.handlers), log.propagate, log.level, log.disabled) for log in loggers]
    yield
    logging.captureWarnings(False)
    for log, (handlers, propagate, level, disabled) in zip(loggers, before, strict=True):
        log.handlers[:] = handlers
        log.propagate, log.level, log.disabled = propagate, level, disabled


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

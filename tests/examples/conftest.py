"""Fixtures for the tests of examples/."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.forks import Forks

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    started = Forks()
    yield started
    started.close()


@pytest.fixture
def examples() -> Path:
    return EXAMPLES

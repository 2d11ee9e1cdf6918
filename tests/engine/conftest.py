"""Runs and modules that several test files use."""

import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from support.running import Ran, run

_numbers = count()


@pytest.fixture(scope="session")
def plain_run(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Four epochs of iris, six updates each, nothing asked for."""
    return run(tmp_path_factory.mktemp("plain"))


@pytest.fixture
def own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Turns source into a module in the current directory, of a name never used before; returns the name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(source: str) -> str:
        name = f"own_code_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(source)
        return name

    return write

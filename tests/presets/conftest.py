"""Training from presets in this process."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.running import Ran, run_config

from trainconsole import presets
from trainconsole.engine.config.parsing import override

Train = Callable[..., Ran]


@pytest.fixture
def trained(tmp_path: Path) -> Train:
    """Trains a preset with --set to its end, on one thread; --data-dir is `tmp_path`/data."""

    def train(preset: str, *assignments: str) -> Ran:
        _, config = presets.load(preset)
        return run_config(tmp_path, override(config, assignments))

    return train

"""What is settled before torch is loaded."""

import pytest

from trainconsole import presets
from trainconsole.engine.config.models import Cnn, Mlp
from trainconsole.engine.config.run import RunConfig
from trainconsole.engine.runs.launch import default_threads


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 8)


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(
    ("model", "threads"),
    [(Mlp(), 1), (Mlp(hidden=()), 1), (Mlp(hidden=(128, 16)), 1), (Mlp(hidden=(16, 512)), 8), (Cnn(), 8)],
    ids=str,
)
def test_small_nets_get_one_thread(model: Mlp | Cnn, threads: int) -> None:
    assert default_threads(RunConfig(model=model)) == threads


@pytest.mark.usefixtures("eight_cores")
def test_the_default_preset_uses_all_cores() -> None:
    assert default_threads(presets.load(presets.DEFAULT)[1]) == 8

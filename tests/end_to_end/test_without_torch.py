"""Where torch is not installed runs are listed, watched, steered and exported; only training asks for it."""

from pathlib import Path

import pytest
from support.emulator import Emulator
from support.process import Ended, only_run, trainconsole

ABSENT = 'raise ModuleNotFoundError(f"No module named {__name__!r}", name=__name__)\n'
LOOKING = (
    "--help",
    "--version",
    "presets",
    "presets mnist",
    "runs",
    "export last --csv a.csv",
    "export last --preset again.toml",
    "export last --svg a.svg",
)
TRAINING = (
    "--preset iris --no-ui",
    "resume last --set epochs=4 --no-ui --trust",
    "replay last --no-ui --trust",
    "evaluate last --trust",
)
NEEDS = "torch is not installed in this environment, and training and evaluating need it\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where one run has finished, and `shim` hides what training needs."""
    made = tmp_path_factory.mktemp("without")
    assert trainconsole("--preset", "iris", "--set", "epochs=2", "--no-ui", cwd=made).code == 0
    for name in ("torch", "torchvision", "sklearn"):
        (made / "shim" / name).mkdir(parents=True)
        (made / "shim" / name / "__init__.py").write_text(ABSENT)
    return made


def without(folder: Path, *args: str) -> Ended:
    return trainconsole(*args, cwd=folder, PYTHONPATH=str(folder / "shim"))


@pytest.mark.parametrize("line", LOOKING)
def test_what_looks_needs_none(folder: Path, line: str) -> None:
    ended = without(folder, *line.split())
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("line", TRAINING)
def test_what_trains_says_what_is_missing(folder: Path, line: str) -> None:
    runs = sorted((folder / "runs").iterdir())
    ended = without(folder, *line.split())
    assert ended.code == 2
    assert NEEDS in ended.err
    assert "pip install torch" in ended.err
    assert "Traceback" not in ended.err
    assert sorted((folder / "runs").iterdir()) == runs


def test_the_console_opens(folder: Path) -> None:
    shim = str(folder / "shim")
    with Emulator("attach", only_run(folder).name, cwd=folder, PYTHONPATH=shim) as console:
        console.until("sha256")
        console.press("q")
        assert console.end() == 0

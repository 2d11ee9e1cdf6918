"""Each example starts as it is, does a few steps, and says what it came to."""

import ast
import difflib
import sys
from pathlib import Path

import pytest
import torch
from support.forks import Forks
from support.process import trainconsole

from trainconsole.engine.record import run_directory

SHORT = {
    "plain.py": ["--epochs", "2"],
    "attached.py": ["--epochs", "2"],
    "amp_accumulation_ema.py": ["--epochs", "2"],
    "gan.py": ["--epochs", "2"],
    "char_transformer.py": ["--steps", "8", "--eval-interval", "4"],
    "unchanged_gpt.py": ["--steps", "8", "--eval-interval", "4"],
}
ATTACHED = ["attached.py", "amp_accumulation_ema.py", "gan.py", "char_transformer.py"]
NOT_HERE = ["lightning_module.py", "hf_trainer.py", "accelerate_loop.py", "skorch_net.py"]
"""They need packages that are not installed here."""


def test_all_are_tried(examples: Path) -> None:
    assert {file.name for file in examples.glob("*.py")} == {*SHORT, *NOT_HERE}


@pytest.mark.parametrize("name", NOT_HERE)
def test_what_cannot_run_here_compiles(examples: Path, name: str) -> None:
    ast.parse((examples / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", SHORT)
def test_an_example_runs(examples: Path, tmp_path: Path, forks: Forks, name: str) -> None:
    assert forks.run(examples / name, *SHORT[name], cwd=tmp_path) == 0, (tmp_path / "printed").read_text()
    assert (tmp_path / "runs").is_dir() == (name in ATTACHED)
    for run in tmp_path.glob("runs/*"):
        events = run_directory.read_events(run)[0]
        assert events[-1].__struct_config__.tag == "finished"
        assert len(run_directory.read_rows(run)) == events[-1].step > 0


def test_attaching_takes_four_lines(examples: Path) -> None:
    before, after = ((examples / name).read_text().splitlines() for name in ("plain.py", "attached.py"))
    changed = [line for line in difflib.ndiff(before, after) if line.startswith("+ ")]
    removed = [line for line in difflib.ndiff(before, after) if line.startswith("- ")]
    assert len(changed) == 4
    assert len(removed) == 1


def test_nothing_of_the_console_is_in_the_plain_ones(examples: Path) -> None:
    for name in ("plain.py", "unchanged_gpt.py"):
        tree = ast.parse((examples / name).read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not any("trainconsole" in ast.unparse(node) for node in imports)


def test_switched_off_the_weights_are_those_of_the_plain_loop(
    examples: Path, tmp_path: Path, forks: Forks
) -> None:
    """To the bit: with the switch the order of batches is the loader's own. Attached, it is the run's."""
    forks.run(examples / "plain.py", "--epochs", "2", "--out", "plain.pt", cwd=tmp_path)
    off = {"TRAINCONSOLE": "off"}
    forks.run(examples / "attached.py", "--epochs", "2", "--out", "off.pt", cwd=tmp_path, **off)
    assert not (tmp_path / "runs").exists()
    plain, off_weights = (torch.load(tmp_path / name) for name in ("plain.pt", "off.pt"))
    assert all(torch.equal(plain[key], off_weights[key]) for key in plain)


def test_a_script_without_a_word_of_it_runs_under_the_console(examples: Path, tmp_path: Path) -> None:
    words = ["run", "--no-ui", "--", sys.executable, str(examples / "unchanged_gpt.py"), "--steps", "3"]
    ended = trainconsole(*words, cwd=tmp_path, OMP_NUM_THREADS="1")
    assert ended.code == 0, ended.err
    assert "step 0: val loss" in ended.out

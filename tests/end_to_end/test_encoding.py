"""Whatever the locale says, files are UTF-8, and what a terminal lacks is told in what it has."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.process import trainconsole
from support.run_files import FINISHED, written

from trainconsole import engine, presets, tui
from trainconsole.engine.record import run_directory

C = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
OWN = """
import torch

class Named(torch.utils.data.Dataset):
    classes, targets = ["Größe", "犬"], [0, 1] * 20
    def __len__(self):
        return 40
    def __getitem__(self, index):
        return torch.tensor([float(index % 2)] * 4), index % 2
"""
ACCENTS = """
description = "Größe, été, 犬"
epochs = 1
[data]
name = "own:Named"
[model]
name = "mlp"
hidden = [8]
"""


def test_accents_where_the_locale_is_c(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    (tmp_path / "accents.toml").write_text(ACCENTS, encoding="utf-8")
    ended = trainconsole("--preset", "accents.toml", "--no-ui", "--threads", "1", cwd=tmp_path, **C)
    assert ended.code == 0, ended.err
    (run,) = (tmp_path / "runs").iterdir()
    assert run_directory.read_config(run).description == "Größe, été, 犬"
    for args in (["evaluate", "last"], ["runs"], ["replay", "last", "--no-ui"], ["presets"]):
        ended = trainconsole(*args, cwd=tmp_path, **C)
        assert (ended.code, "Traceback" in ended.err) == (0, False), ended.err


@pytest.mark.parametrize("args", [["runs"], ["presets", "Größe"], ["--preset", "été.toml", "--no-ui"]])
def test_a_message_is_told_in_what_the_terminal_has(args: list[str], tmp_path: Path) -> None:
    written(tmp_path / "runs", FINISHED, name="Größe")
    ended = trainconsole(*args, cwd=tmp_path, **C)
    assert "Traceback" not in ended.err
    assert (ended.out + ended.err).isascii()


def test_every_text_file_is_opened_as_utf8() -> None:
    for package in (engine, presets, tui):
        for file in Path(str(package.__file__)).parent.rglob("*.py"):
            found = [ast.unparse(call) for call in by_locale(ast.parse(file.read_text(encoding="utf-8")))]
            assert not found, (file, found)


TEXT = ("fdopen", "read_text", "write_text", "FileHandler", "NamedTemporaryFile", "TextIOWrapper")


def by_locale(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls that open a text file, or read a process as text, in what the locale says."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func).rpartition(".")[2]
        words = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        modes = [ast.unparse(part) for part in [*node.args[1:2], *node.args[:1]]] + [words.get("mode", "")]
        binary = any(mode.strip("'") in ("rb", "wb", "xb", "ab", "r+b", "w+b") for mode in modes)
        opens = not binary and (name in TEXT or ast.unparse(node.func) == "open")
        if "encoding" not in words and (opens or words.get("text") == "True"):
            yield node

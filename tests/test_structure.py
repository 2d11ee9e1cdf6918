"""How large a file and a class may become before they are cut."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [
    path
    for part in ("engine", "presets", "tui", "tests", "docs")
    for path in sorted((ROOT / part).rglob("*.py"))
]
LINES, METHODS, ROOM = 300, 25, 13


def test_no_file_is_longer_than_can_be_read() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert len(lengths) > 400
    assert {str(path): length for path, length in lengths.items() if length > LINES} == {}


def test_no_class_has_more_methods_than_can_be_known() -> None:
    classes = [
        (path, node)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    counts = {
        f"{path}: {node.name}": sum(
            isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) for part in node.body
        )
        for path, node in classes
    }
    assert {name: count for name, count in counts.items() if count > METHODS} == {}


@pytest.mark.parametrize("part", ["engine", "tui"])
def test_no_room_is_a_drawer(part: str) -> None:
    rooms = {path.parent for path in FILES if path.is_relative_to(ROOT / part)}
    counts = {str(room): len([*room.glob("*.py")]) - 1 for room in rooms}
    assert {name: count for name, count in counts.items() if count > ROOM} == {}

"""Draws the rooms of the source and their order into architecture.md, from the contracts that CI holds.

python docs/rooms.py            print what belongs there
python docs/rooms.py --write    put it there
"""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- rooms: begin -->", "<!-- rooms: end -->"


def layered(contracts: list[dict[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    """(package, its layers from the top) of each contract that orders the rooms of one."""
    for contract in contracts:
        for package in contract.get("containers", ()):
            yield package.removeprefix("trainconsole."), contract["layers"]


def meaning(path: Path) -> str:
    """The first paragraph of the docstring of a package or module."""
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())


def drawn() -> str:
    """A table for each package, a row for each room, from what imports down to what is imported."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    lines: list[str] = []
    for package, layers in layered(contracts["contracts"]):
        lines += [f"**{package}/**, from the top", "", "| floor | room | what is there |", "|---|---|---|"]
        for floor, layer in zip(range(len(layers), 0, -1), layers, strict=True):
            for room in layer.replace(" ", "").split("|"):
                lines.append(f"| {floor} | `{package}/{room}` | {meaning(ROOT / package / room)} |")
        lines.append("")
    return "\n".join(lines).rstrip()


def page(text: str) -> str:
    """`text` of the page with the tables as they are now."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{drawn()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        sys.stdout.write(drawn() + "\n")

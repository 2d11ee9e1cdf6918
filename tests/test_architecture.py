"""docs/architecture.md: its tables are those of the contracts, and the files that it names are there."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_rooms_are_those_of_the_contracts() -> None:
    argv = [sys.executable, str(ROOT / "docs" / "rooms.py")]
    drawn = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout
    assert f"<!-- rooms: begin -->\n\n{drawn}\n<!-- rooms: end -->" in PAGE
    assert drawn.count("| `engine/") > 15


def test_the_files_that_it_names_are_there() -> None:
    named = set(re.findall(r"`((?:engine|tui|presets|tests|docs)/[\w/.]*)`", PAGE))
    assert len(named) > 50
    assert [
        name for name in sorted(named) if not any((ROOT / f"{name}{end}").exists() for end in ("", ".py"))
    ] == []

"""The versions that pictures of the console are made with."""

import re
import tomllib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
DRAW = ("textual", "rich")
"""What draws them: another version draws a little otherwise."""


def pinned() -> dict[str, str]:
    """Their exact versions, from the dev extra. Raises KeyError where one is not pinned."""
    extra = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]["dev"]
    matches = (re.fullmatch(r"([\w-]+)==([\w.]+)", line) for line in extra)
    pins = {found[1]: found[2] for found in matches if found}
    return {name: pins[name] for name in DRAW}


def refusal(version: Callable[[str], str] = metadata.version) -> str:
    """Why no picture can be compared here, "" where all can."""
    other = [f"{name}=={pin}, not {version(name)}" for name, pin in pinned().items() if version(name) != pin]
    if not other:
        return ""
    return (
        f"the pictures are made with {' and '.join(other)}: pip install -e '.[dev]' installs what is pinned"
    )

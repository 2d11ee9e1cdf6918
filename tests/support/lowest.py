"""What `make test-oldest` installs: the lowest versions that pyproject.toml allows, and the test tools.

Run as a script: `python tests/support/lowest.py` prints the requirements, one a line.
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
EXTRAS = ("samples", "tensorboard")
"""A user's: their bounds are promises too."""


def lowest(requirement: str) -> Requirement:
    """The one version that its `>=` names. Raises ValueError if it has none, or two."""
    found = Requirement(requirement)
    bounds = [clause.version for clause in found.specifier if clause.operator == ">="]
    if len(bounds) != 1:
        raise ValueError(f"{requirement}: exactly one lower bound (>=) is needed")
    return Requirement(f"{found.name}=={bounds[0]}")


def tools(dev: Sequence[str], pinned: Sequence[Requirement]) -> list[Requirement]:
    """What is in `dev` and not in `pinned`, which goes before the pins that pictures need."""
    names = {requirement.name for requirement in pinned}
    return [wanted for wanted in map(Requirement, dev) if wanted.name not in names]


def requirements(text: str) -> list[Requirement]:
    """All that is to be installed, from the `text` of a pyproject.toml."""
    project = tomllib.loads(text)["project"]
    extras = project["optional-dependencies"]
    users = [*project["dependencies"], *(line for name in EXTRAS for line in extras[name])]
    pinned = [lowest(line) for line in users]
    return [*pinned, *tools(extras["dev"], pinned)]


if __name__ == "__main__":
    print(*requirements(PYPROJECT.read_text(encoding="utf-8")), sep="\n")

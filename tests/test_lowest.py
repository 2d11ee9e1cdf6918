"""What `make test-oldest` installs."""

import pytest
from support import lowest

TEXT = """
[project]
dependencies = ["torch>=2.6", "plotext>=5.3.2,<6"]
[project.optional-dependencies]
samples = ["mlxtend>=0.23"]
tensorboard = ["tensorboard>=2.16.2"]
docs = ["mkdocs-material>=9.5"]
dev = ["plotext==5.3.9", "pytest>=8,<9"]
"""


def test_users_libraries_are_pinned_to_their_bounds_and_before_the_pins_of_pictures() -> None:
    assert [str(wanted) for wanted in lowest.requirements(TEXT)] == [
        "torch==2.6",
        "plotext==5.3.2",
        "mlxtend==0.23",
        "tensorboard==2.16.2",
        "pytest<9,>=8",
    ]


@pytest.mark.parametrize("line", ["torch", "torch<3", "torch==2.6", "torch>=2.6,>=2.7"])
def test_what_has_no_bound_of_its_own_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="exactly one lower bound"):
        lowest.lowest(line)


def test_each_of_ours_has_one() -> None:
    found = lowest.requirements(lowest.PYPROJECT.read_text(encoding="utf-8"))
    assert len({wanted.name for wanted in found}) == len(found) > 20

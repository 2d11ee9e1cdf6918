import pytest
from textual.content import Content

from trainconsole.tui import theme
from trainconsole.tui.text.final_report import confusion
from trainconsole.tui.widgets.confusion_matrix import heat

COUNTS = [[40, 0, 10], [0, 50, 0], [1, 0, 0]]
NAMES = ["T-shirt / top", "bag", "ankle boot 2"]


def styles(content: Content, row: int) -> list[tuple[str, str]]:
    """(text, style) of what is coloured in one line."""
    line = content.split("\n")[row]
    return [(line.plain[span.start : span.end], str(span.style)) for span in line.spans]


def found(counts: list[list[int]], names: list[str], width: int = 80) -> Content:
    made = heat(counts, names, width)
    assert made is not None
    return made


def test_it_says_what_the_result_says() -> None:
    assert found(COUNTS, NAMES).plain.splitlines() == list(confusion(COUNTS, NAMES, 80))


def test_right_and_wrong_by_their_share() -> None:
    first, second, third = (styles(found(COUNTS, NAMES), row) for row in (2, 3, 4))
    assert [text.strip() for text, _ in first] == ["40", ".", "10"]
    assert len({len(text) for text, _ in first}) == 1
    assert first[0][1] == f"{theme.TEXT} on {theme.TRAIN} 60%"
    assert first[2][1] == f"{theme.TEXT} on {theme.BAD} 24%"
    assert first[1][1] == theme.ABANDONED
    assert second[1][1] == f"{theme.TEXT} on {theme.TRAIN} 60%"
    assert third[0][1] == f"{theme.TEXT} on {theme.BAD} 60%"


def test_a_single_class() -> None:
    assert [text.strip() for text, _ in styles(found([[7]], ["a"]), 2)] == ["7"]


def test_an_empty_row() -> None:
    assert [text.strip() for text, _ in styles(found([[0, 0], [0, 3]], ["a", "b"]), 2)] == [".", "."]


def test_too_many_classes_are_listed() -> None:
    counts = [[5 if i == j else 1 for j in range(30)] for i in range(30)]
    names = [f"c{i}" for i in range(30)]
    assert found(counts, names).plain.splitlines() == list(confusion(counts, names, 80))


@pytest.mark.parametrize("counts", [None, []])
def test_none(counts: list[list[int]] | None) -> None:
    assert heat(counts, [], 80) is None

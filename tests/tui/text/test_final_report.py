import pytest
from rich.cells import cell_len

from trainconsole.tui.text.final_report import confusion

CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
FASHION = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]


def matrix(size: int, right: int = 876) -> list[list[int]]:
    """Each class right `right` times and taken for the next one 12 times."""
    return [[right if i == j else 12 if j == (i + 1) % size else 0 for j in range(size)] for i in range(size)]


@pytest.mark.parametrize("names", [CIFAR10, FASHION], ids=["cifar10", "fashion"])
@pytest.mark.parametrize("width", [80, 100, 120])
def test_ten_long_names_fit(names: list[str], width: int) -> None:
    title, head, *rows = confusion(matrix(10), names, width)
    assert title.startswith("confusion")
    assert [row.removeprefix("  ").startswith(name) for row, name in zip(rows, names, strict=True)] == [
        True
    ] * 10
    assert max(cell_len(line) for line in (head, *rows)) <= width
    assert {row.split()[-1] for row in rows} == {"0.986"}
    assert len({len(row) for row in rows}) == 1


def test_heads_stand_over_their_columns() -> None:
    _, head, *rows = confusion(matrix(10), CIFAR10, 80)
    for index, name in enumerate(CIFAR10):
        end = rows[index].index("876") + 3
        assert head[:end].split()[-1] == name[:5]


def test_names_that_are_the_same_when_cut_get_numbers() -> None:
    names = [f"class_number_{index}" for index in range(10)]
    _, head, first, *_ = confusion(matrix(10), names, 80)
    assert head.split() == [*"0123456789", "recall"]
    assert first.startswith("  0 class_number_0")


def test_many_classes_are_listed_by_what_is_confused() -> None:
    counts = matrix(21)
    counts[3][5] = 40
    found = list(confusion(counts, [f"c{index}" for index in range(21)], 200))
    assert found[:2] == ["most confused", "  40 of c3 taken for c5"]
    assert len(found) == 6


def test_so_are_those_that_do_not_fit() -> None:
    assert next(confusion(matrix(20), [f"c{index}" for index in range(20)], 60)) == "most confused"
    perfect = [[5 if i == j else 0 for j in range(21)] for i in range(21)]
    assert list(confusion(perfect, [str(i) for i in range(21)], 80)) == ["no class was taken for another"]


def test_a_class_without_rows_has_no_recall() -> None:
    *_, last = confusion([[3, 1], [0, 0]], ["a", "b"], 80)
    assert last.split() == ["b", ".", ".", "-"]


def test_wide_characters_and_control_characters() -> None:
    _, *found = confusion(matrix(3), ["猫", "犬\x1b[2J", "bird"], 80)
    assert len({cell_len(line) for line in found}) == 1
    assert not any("\x1b" in line for line in found)


@pytest.mark.parametrize(("counts", "names"), [(None, ["a"]), (((),), [])])
def test_no_matrix_no_lines(counts: object, names: list[str]) -> None:
    assert list(confusion(counts, names, 80)) == []  # type: ignore[arg-type]

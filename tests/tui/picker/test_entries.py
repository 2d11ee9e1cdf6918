import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from trainconsole import presets
from trainconsole.tui.picker.entries import PRESET_HEAD, Entry, matching, preset_entries, widths
from trainconsole.tui.text.cells import clause, cut


def test_every_preset_is_offered() -> None:
    entries = preset_entries()
    assert [entry.key for entry in entries] == presets.names()
    assert {entry.key for entry in entries if entry.cells[-1]} >= {"mnist", "cifar10"}
    assert all(len(entry.cells) == len(PRESET_HEAD) and entry.below for entry in entries)


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("mnist", "mnist"),
        ("swap", "mnist-swap"),
        ("flowers", "iris"),
        ("REGRESSION", "diabetes"),
        ("cnn clothes", "fashion-mnist"),
    ],
)
def test_the_best_match_comes_first(typed: str, first: str) -> None:
    assert matching(preset_entries(), typed)[0].key == first


def test_every_word_counts() -> None:
    assert matching(preset_entries(), "mnist flowers") == ()
    assert matching(preset_entries(), "  ") == preset_entries()


def test_columns_give_way_from_the_right() -> None:
    rows = [Entry("a", ("one", "four", "six"))]
    head = ("h", "h", "h")
    assert widths(head, rows, 14) == (3, 4, 3)
    assert widths(head, rows, 13) == (3, 4)
    assert widths(head, rows, 8) == (3,)
    assert widths(head, rows, 2) == (2,)


@given(st.text(), st.integers(0, 40))
def test_cut_is_exact(text: str, width: int) -> None:
    assert cell_len(cut(text, width)) == width


@pytest.mark.parametrize(
    ("width", "expected"),
    [(99, "A small CNN: fast, no download."), (30, "A small CNN: fast"), (12, "A small CNN"), (5, "A sm…")],
)
def test_clause(width: int, expected: str) -> None:
    assert clause("A small CNN: fast, no download.", width) == expected

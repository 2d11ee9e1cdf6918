"""Which curves are shown: a filter, a list, and what each key does to it."""

import pytest
from support.piloting import seen, tried

from trainconsole.tui.dialogs.curves import CurvesScreen

NAMES = {"loss": "loss", "metric": "accuracy", "lr": "learning rate", "own:a": "reward", "own:b": "eval/f1"}


class Desk:
    """What is shown, as the run's screen would have it."""

    def __init__(self, *shown: str) -> None:
        self.names, self.shown = dict(NAMES), shown
        self.dialog = CurvesScreen(lambda: self.names, lambda: self.shown, self.choose)

    def choose(self, shown: tuple[str, ...]) -> None:
        self.shown = shown or ("loss", "metric", "lr")


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        ([*"eval", "enter"], ("loss", "lr", "own:b")),
        ([*"F1", "space"], ("loss", "lr", "own:b")),
        (["enter"], ("lr",)),
        (["down", "down", "space"], ("loss",)),
        (["pagedown", "enter"], ("loss", "lr", "own:b")),
        (["down", "up", "up", "enter"], ("lr",)),
        ([*"rat", "enter", "enter"], ("loss", "lr")),
        ([*"nothing of that", "enter"], ("loss", "lr")),
        (["down", "enter", "down", "down", "enter"], ("loss", "lr", "metric", "own:a")),
        (["enter", "down", "down", "enter"], ("loss", "metric", "lr")),
    ],
)
def test_keys_show_and_hide(keys: list[str], shown: tuple[str, ...]) -> None:
    desk = Desk("loss", "lr")
    results, _ = tried(desk.dialog, keys)
    assert desk.shown == shown
    assert results == []


def test_a_fifth_is_refused() -> None:
    desk = Desk("loss", "metric", "lr", "own:a")
    _, text = tried(desk.dialog, [*"f1", "enter"])
    assert desk.shown == ("loss", "metric", "lr", "own:a")
    assert "4 are shown: hide one first" in text


def test_the_filter_and_what_is_shown_are_seen() -> None:
    text = seen(Desk("loss", "own:b").dialog)
    assert [name in text for name in NAMES.values()] == [True] * 5
    assert "✓ loss" in text
    assert "✓ accuracy" not in text
    text = seen(Desk("loss").dialog, [*"re", "space"])
    assert "✓ reward" in text
    assert "loss" not in text
    assert "no curve has this" in seen(Desk("loss").dialog, [*"xyz"])


def test_escape_keeps_what_was_chosen() -> None:
    desk = Desk("loss")
    results, _ = tried(desk.dialog, ["down", "enter", "escape"])
    assert (results, desk.shown) == ([None], ("loss", "metric"))


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 12), (20, 5)])
def test_any_number_of_names_in_any_size(size: tuple[int, int]) -> None:
    desk = Desk("loss")
    desk.names |= {f"own:{index}": "犬" * 60 + f"{index:03}" for index in range(256)}
    text = seen(desk.dialog, [*"255", "enter"], size)
    assert desk.shown == ("loss", "own:255")
    assert max(map(len, text.splitlines())) <= size[0]
    assert size[1] < 10 or "✓ 犬" in text

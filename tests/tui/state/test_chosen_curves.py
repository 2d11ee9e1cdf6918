"""The choice of curves: kept by preset, and no trouble whatever has become of the file."""

import os
from pathlib import Path

import pytest

from trainconsole.tui.state import chosen_curves


def test_each_preset_has_its_own() -> None:
    assert chosen_curves.read("digits") == ()
    chosen_curves.remember("digits", ("loss", "own:reward"))
    chosen_curves.remember("train.py", ("own:ä\u202e",))
    assert chosen_curves.read("digits") == ("loss", "own:reward")
    assert chosen_curves.read("train.py") == ("own:ä\u202e",)
    chosen_curves.remember("digits", ())
    assert chosen_curves.read("digits") == ()
    assert chosen_curves.read("train.py") == ("own:ä\u202e",)
    assert [path.name for path in chosen_curves.file().parent.iterdir()] == ["curves.json"]
    assert chosen_curves.file().stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"digits": 3}', b'{"digits": [3]}', b"\xff", b"[" * 100_000, b'{"a": []}']
)
def test_what_is_damaged_says_nothing_and_is_replaced(data: bytes) -> None:
    chosen_curves.file().parent.mkdir(parents=True, exist_ok=True)
    chosen_curves.file().write_bytes(data)
    assert chosen_curves.read("digits") == ()
    chosen_curves.remember("digits", ("lr",))
    assert chosen_curves.read("digits") == ("lr",)


def test_a_link_or_a_giant_is_not_read(tmp_path: Path) -> None:
    file = chosen_curves.file()
    file.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "away").write_text('{"digits": ["lr"]}')
    file.symlink_to(tmp_path / "away")
    assert chosen_curves.read("digits") == ()
    file.unlink()
    with file.open("wb") as giant:
        giant.truncate(1 << 40)
    assert chosen_curves.read("digits") == ()


def test_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chosen_curves, "KEPT", 3)
    for name in "abcda":
        chosen_curves.remember(name, ("lr",))
    assert [name for name in "abcd" if chosen_curves.read(name)] == ["a", "c", "d"]
    chosen_curves.remember("x" * 2000, ("lr",))
    assert chosen_curves.read("x" * 2000) == ()


def test_where_nothing_can_be_written_that_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    chosen_curves.remember("a", ("lr",))
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        chosen_curves.remember("a", ("loss",))
    assert chosen_curves.read("a") == ("lr",)

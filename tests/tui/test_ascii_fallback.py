"""Signs for terminals without UTF-8."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color

from trainconsole.tui import ascii_fallback


@given(st.text())
def test_all_becomes_ascii_of_the_same_width(text: str) -> None:
    assert ascii_fallback.plain(text).isascii()
    shown = "".join(char for char in text if char.isprintable())
    assert cell_len(ascii_fallback.plain(shown)) == sum(map(cell_len, shown))


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_stays(text: str) -> None:
    assert ascii_fallback.plain(text) == text


def test_dots_show_where_they_are() -> None:
    assert ascii_fallback.plain("\u2800\u2801\u28c0\u28ff\u2809") == " '.:'"


def test_control_codes_pass() -> None:
    segments = [Segment("●"), Segment("\x1b[2J", None, [(1,)])]  # type: ignore[list-item]
    done = ascii_fallback.AsciiFilter().apply(segments, Color(0, 0, 0))
    assert [segment.text for segment in done] == ["o", "\x1b[2J"]


@pytest.mark.parametrize(("lc_all", "term", "wanted"), [("C", "xterm", True), ("", "linux", True)])
def test_the_locale_decides(lc_all: str, term: str, wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", lc_all)
    monkeypatch.setenv("TERM", term)
    assert ascii_fallback.needed() is wanted

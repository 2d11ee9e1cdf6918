import pytest

from trainconsole import presets
from trainconsole.tui.picker.toml_highlight import STYLES, toml

KINDS = {style: kind for kind, style in STYLES.items()}


def parts(text: str, width: int = 200) -> list[tuple[str, str]]:
    made = toml(text, width)
    return [(made.plain[span.start : span.end], KINDS[str(span.style)]) for span in made.spans]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("lr = 2e-3", [("2e-3", "value")]),
        ("weights = -1_000.5", [("-1_000.5", "value")]),
        ("on = true # or false, 1", [("true", "value"), ("# or false, 1", "comment")]),
        ('name = "a # b [c] \\" 1"', [('"a # b [c] \\" 1"', "string")]),
        ("name = 'x'", [("'x'", "string")]),
        ("[data.split]", [("[data.split]", "section")]),
        ("[[commands]] # 2", [("[[commands]]", "section"), ("# 2", "comment")]),
        ("channels = [32, 64]", [("32", "value"), ("64", "value")]),
        ("conv2d_1 = x", []),
        ("", []),
    ],
)
def test_a_line(line: str, expected: list[tuple[str, str]]) -> None:
    assert parts(line) == expected


def test_a_comment_hangs_below() -> None:
    made = toml("lr = 0.1 # as published, and kept because it shows trouble", 30)
    assert made.plain.splitlines() == [
        "lr = 0.1 # as published, and",
        "    kept because it shows",
        "    trouble",
    ]
    assert parts("lr = 0.1 # as published, and kept because", 30)[-1][0].endswith("kept because")


@pytest.mark.parametrize("name", presets.names())
@pytest.mark.parametrize("width", [24, 200])
def test_nothing_of_a_preset_is_lost(name: str, width: int) -> None:
    shown, text = toml(presets.text(name), width).plain, presets.text(name)
    assert "".join(shown.split()) == "".join(text.split())


def test_harmless() -> None:
    assert toml("a = '\x1b[2J'", 80).plain == "a = '\ufffd[2J'"

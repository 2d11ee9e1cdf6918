import math

import pytest

from trainconsole.tui.text.format import effect, harmless, number, rate, seconds


def test_control_characters_cannot_drive_the_terminal() -> None:
    assert harmless("a\x1b[2Jb\n\x07ü") == "a\ufffd[2Jb\ufffd\ufffdü"


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-3, "1e-3"), (5e-4, "5e-4"), (2.5e-4, "2.5e-4"), (0.1, "1e-1"), (1.0, "1e0"), (0.0, "0")],
)
def test_rates(value: float, text: str) -> None:
    assert rate(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.4, "00:00"),
        (61.0, "01:01"),
        (3661.0, "1:01:01"),
        (None, "--:--"),
        (math.nan, "--:--"),
        (1e9, "--:--"),
    ],
)
def test_seconds(value: float | None, text: str) -> None:
    assert seconds(value) == text


def test_numbers() -> None:
    assert [number(v) for v in (None, True, 12345, 0.123456, "a\x1b")] == [
        "off",
        "true",
        "12,345",
        "0.1235",
        "a\ufffd",
    ]


def test_an_effect_names_what_changed() -> None:
    before = {"optimizer": "adam", "lr": 0.001, "eps": 1e-8}
    after = {"optimizer": "sgd", "lr": 0.01, "momentum": 0.9}
    assert effect(before, after) == "optimizer adam -> sgd, lr 0.001 -> 0.01, momentum 0.9"

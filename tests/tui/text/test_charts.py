import math
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from trainconsole.engine.record.metric_rows import ROW, Rows
from trainconsole.tui.text.charts import curves, thinned
from trainconsole.tui.text.ticks import label, ticks

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
FINITE = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda x: x if abs(x) > 1e-6 else 0.0)


def rows(losses: list[float], metrics: list[float] | None = None) -> Rows:
    made = np.zeros(len(losses), ROW)
    made["step"] = np.arange(1, len(losses) + 1)
    made["loss"] = losses
    made["metric"] = np.linspace(0.1, 0.95, len(losses)) if metrics is None else metrics
    return made


def falling(steps: int = 820) -> Rows:
    return rows((2.3 * np.exp(-np.arange(steps) / (steps / 8))).tolist())


EPOCHS = [(step, 2.3 * math.exp(-step / 100), 0.5) for step in range(41, 821, 41)]


def axis(line: str) -> list[float]:
    """The numbers on an axis of steps."""
    return [float(word.replace("k", "000")) for word in line.split()]


def left_ticks(lines: list[str]) -> list[float]:
    """The numbers up the side of the first chart, from the top."""
    found = (re.match(r" *(\S+)[┤+]", line) for line in lines)
    return [float(match[1]) for match in found if match]


@pytest.mark.parametrize("width", [30, 40, 60, 75, 76, 80, 99, 100, 120, 200])
@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("color", [True, False])
def test_no_line_is_wider_than_asked_for(width: int, unicode: bool, color: bool) -> None:
    lines = curves(falling(), EPOCHS, "accuracy", width=width, unicode=unicode, color=color)
    cells = [cell_len(ESCAPE.sub("", line)) for line in lines]
    assert max(cells) <= width
    assert max(cells) >= min(width, 122) - 1


@pytest.mark.parametrize("width", [80, 100, 120])
def test_two_charts_stand_beside_each_other(width: int) -> None:
    lines = curves(falling(), EPOCHS, "accuracy", width=width)
    assert lines[0].split() == ["loss", "accuracy"]
    frames = {line.count("│") + line.count("┤") for line in lines[2:13]}
    assert frames == {4}
    assert len(lines) == 16


def test_where_there_is_no_room_one_stands_above_the_other() -> None:
    lines = curves(falling(), EPOCHS, "accuracy", width=60)
    assert [line.strip() for line in lines if line.strip() in ("loss", "accuracy")] == ["loss", "accuracy"]


def test_ticks_are_round_numbers() -> None:
    lines = curves(falling(820), EPOCHS, "accuracy", width=120)
    assert axis(lines[-2]) == [0, 200, 400, 600, 800] * 2
    assert left_ticks(lines) == [2.5, 2, 1.5, 1, 0.5, 0]
    assert axis(curves(falling(820), EPOCHS, "accuracy", width=80)[-2]) == [0, 200, 400, 600, 800] * 2
    assert axis(curves(falling(46_900), [], "accuracy", width=80)[-2]) == [0, 10e3, 20e3, 30e3, 40e3] * 2


@pytest.mark.parametrize("steps", [2, 3, 5, 9, 17, 100, 999, 1000, 12_345])
def test_steps_are_whole_numbers_and_evenly_apart(steps: int) -> None:
    words = axis(curves(falling(steps), [], "accuracy", width=100)[-2])
    first = words[: len(words) // 2]
    assert all(number == int(number) for number in first)
    assert len({b - a for a, b in pairwise(first)}) == 1
    assert first[-1] <= steps


def test_validation_is_told_from_training() -> None:
    lines = curves(falling(), EPOCHS, "accuracy", width=100)
    assert sum(line.count("o") for line in lines[2:13]) >= 20
    assert lines[-1].split("   ")[-2:] == ["line: training", "o: validation"] or "o: validation" in lines[-1]
    without = curves(falling(), [], "accuracy", width=100)
    assert without[-1].strip() == "line: training"
    assert not any("o" in line for line in without[2:13])


def test_a_point_stands_where_its_value_is() -> None:
    """One validation of 1.0 at the end of a chart from 0 to 1, whose line is at the bottom."""
    lines = curves(rows([0.0] * 100), [(100, 1.0, 1.0)], "accuracy", width=80)
    top = lines[2][: lines[2].index("│") + 1]
    assert top.endswith("o│")
    assert left_ticks(lines)[0] == 1


def test_what_is_not_finite_is_left_out() -> None:
    losses = [2.0, math.nan, 1.5, math.inf, 1.0, -math.inf] * 20
    metrics = [0.1, 0.2, math.nan, 0.3, math.inf, 0.4] * 20
    lines = curves(rows(losses, metrics), [(60, math.nan, 0.5), (120, math.inf, math.nan)], "mae", width=100)
    assert left_ticks(lines)[0] == 2
    assert left_ticks(lines)[-1] == 1
    assert not any("nan" in line or "inf" in line for line in lines)


def test_nothing_finite_at_all() -> None:
    lines = curves(rows([math.nan] * 5, [math.inf] * 5), [(5, math.nan, math.nan)], "accuracy", width=80)
    assert (left_ticks(lines)[0], left_ticks(lines)[-1]) == (1, 0)


@pytest.mark.parametrize("epochs", [[], [(1, 0.6, 0.7)]])
def test_one_row(epochs: list[tuple[int, float, float]]) -> None:
    lines = curves(rows([0.7], [0.5]), epochs, "accuracy", width=80)
    assert axis(lines[-2]) == [0, 1] * 2
    body = "".join(lines[2:13])
    drawn = [char for char in body if "\u2800" < char <= "\u28ff" or char == "o"]
    assert len(drawn) >= 2


def test_a_value_that_never_changes() -> None:
    numbers = left_ticks(curves(rows([0.5] * 10), [], "accuracy", width=80))
    assert numbers[-1] <= 0.5 <= numbers[0]
    assert numbers[0] > numbers[-1]


@pytest.mark.parametrize("scale", [1e-9, 1e-5, 1.0, 65.0, 1e4, 1e8])
def test_regression_and_values_of_any_size(scale: float) -> None:
    values = (np.linspace(1.4, 0.6, 50) * scale).tolist()
    lines = curves(rows(values, values), [(50, 0.7 * scale, 0.7 * scale)], "mae", width=80)
    numbers = left_ticks([line.replace("k", "000").replace("M", "000000") for line in lines])
    assert numbers[-1] <= 0.6 * scale * (1 + 1e-5)
    assert numbers[0] >= 1.4 * scale * (1 - 1e-5)
    assert max(cell_len(line) for line in lines) <= 80


@pytest.mark.parametrize("color", [True, False])
def test_plain_ascii_where_there_is_no_unicode(color: bool) -> None:
    lines = curves(falling(), EPOCHS, "accuracy", width=100, unicode=False, color=color)
    assert all(line.isascii() for line in lines)
    assert "." in ESCAPE.sub("", lines[5])
    assert lines[1].count("+") == 4


def test_no_escape_codes_without_colour() -> None:
    assert not any("\x1b" in line for line in curves(falling(), EPOCHS, "accuracy", width=100))
    assert any("\x1b" in line for line in curves(falling(), EPOCHS, "accuracy", width=100, color=True))


@given(low=FINITE, span=st.floats(0, 1e6), most=st.integers(3, 12))
def test_ticks_enclose_and_are_few_and_even(low: float, span: float, most: int) -> None:
    high = low + span
    found = ticks(low, high, most)
    assert 2 <= len(found) <= most
    slack = 1e-6 * (found[1] - found[0])
    assert found[0] <= low + slack
    assert found[-1] >= high - slack
    gaps = np.diff(found)
    assert gaps.max() - gaps.min() <= 1e-6 * gaps.max() + 1e-9 * max(abs(low), abs(high))
    mantissa = float(f"{gaps[0]:e}".split("e")[0])
    assert min(abs(mantissa - round_one) for round_one in (1, 2, 5, 10)) < 1e-3 or span < 1e-6 * abs(low)


@pytest.mark.parametrize(
    ("value", "step", "text"),
    [
        (0.0, 0.5, "0"),
        (0.5, 0.5, "0.5"),
        (2.0, 0.5, "2.0"),
        (0.25, 0.05, "0.25"),
        (400.0, 200.0, "400"),
        (20_000.0, 10_000.0, "20k"),
        (2e-5, 1e-5, "2e-5"),
        (3e9, 1e9, "3e9"),
        (-1.5, 0.5, "-1.5"),
    ],
)
def test_labels(value: float, step: float, text: str) -> None:
    assert label(value, step) == text


def test_thinning_keeps_the_mean_and_few_points() -> None:
    x, y = np.arange(1000.0), np.sin(np.arange(1000.0))
    few_x, few_y = thinned(x, y, 80)
    assert len(few_x) == len(few_y) == 80
    assert np.all(np.diff(few_x) > 0)
    weights = np.diff(np.append(np.linspace(0, 1000, 81).astype(int)[:-1], 1000))
    assert np.average(few_y, weights=weights) == pytest.approx(y.mean())

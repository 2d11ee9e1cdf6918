"""Limits that keep still, and ticks that say what they should."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainconsole.tui.plotting import axes
from trainconsole.tui.text.ticks import labels, read, ticks

VALUES = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda value: round(value, 3))


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=20))
def test_limits_always_enclose_the_data_and_stay_within_reason(ranges):
    limits = None
    for pair in ranges:
        low, high = sorted(pair)
        limits = axes.limits(limits, low, high)
        slack = 1e-6 * (abs(low) + abs(high) + 1e-9)
        assert limits[0] <= low + slack
        assert limits[1] >= high - slack
        assert axes.limits(limits, low, high) == limits or high - low < axes.SHRINK * (limits[1] - limits[0])


@given(st.lists(st.tuples(st.floats(1e-9, 1e9), st.floats(1e-9, 1e9)), min_size=1, max_size=20))
def test_logarithmic_limits_enclose_the_data(ranges):
    limits = None
    for pair in ranges:
        low, high = sorted(pair)
        limits = axes.log_limits(limits, low, high)
        assert limits[0] < limits[1]
        assert limits[0] <= math.log10(low) + 1e-5
        assert limits[1] >= math.log10(high) - 1e-5


def test_limits_do_not_shiver_with_a_noisy_curve():
    limits = axes.limits(None, 0.02, 2.4)
    assert limits == (0.0, 3.0) or limits == (0.0, 2.5)
    assert axes.limits(limits, 0.01, 2.2) == limits
    assert axes.limits(limits, 0.01, 1.5) == limits


def test_limits_widen_at_once_and_draw_in_when_much_less_is_needed():
    assert axes.limits((0.0, 3.0), 0.1, 75.0)[1] >= 75
    assert axes.limits((0.0, 100.0), 0.1, 2.4)[1] <= 4


def test_a_range_near_zero_starts_at_zero_and_a_far_one_does_not():
    assert axes.limits(None, 0.2, 2.0)[0] == 0
    assert axes.limits(None, 0.91, 0.99)[0] >= 0.8
    assert axes.limits(None, -2.0, 2.0)[0] == -2


@given(VALUES, st.floats(1e-3, 1e6), st.integers(2, 8), st.booleans())
def test_ticks_lie_within_the_limits_and_rise(low, span, most, log):
    bounds = (low % 20 - 10, low % 20 - 10 + min(span, 12)) if log else axes.limits(None, low, low + span)
    ticks = axes.y_ticks(bounds, most, log=log)
    places = [at for at, _ in ticks]
    assert places == sorted(places)
    assert len(ticks) <= max(most, 2)
    slack = 1e-5 * (bounds[1] - bounds[0])
    assert all(bounds[0] - slack <= at <= bounds[1] + slack for at in places)


def test_a_logarithmic_axis_names_powers_or_what_lies_between():
    assert [text for _, text in axes.y_ticks((-3.0, 1.0), 6, log=True)] == ["0.001", "0.01", "0.1", "1", "10"]
    assert [text for _, text in axes.y_ticks((-1.0, 0.0), 6, log=True)] == ["0.1", "0.2", "0.5", "1"]
    assert [text for _, text in axes.y_ticks((-5.0, -4.0), 2, log=True)] == ["1e-5", "1e-4"]


@pytest.mark.parametrize(
    ("axis", "bounds", "width", "texts"),
    [
        ("step", (0, 4690), 80, ["0", "1k", "2k", "3k", "4k"]),
        ("step", (0, 12e6), 60, ["0", "5M", "10M"]),
        ("step", (0, 300), 60, ["0", "100", "200", "300"]),
        ("epoch", (0, 3), 60, ["0", "1", "2", "3"]),
        ("time", (0, 300), 60, ["0", "1m", "2m", "3m", "4m", "5m"]),
        ("time", (0, 7200), 40, ["0", "30m", "1h", "1h30", "2h"]),
        ("time", (0, 8), 50, ["0", "2s", "4s", "6s", "8s"]),
    ],
)
def test_ticks_along_each_axis(axis, bounds, width, texts):
    found = [text for _, text in axes.x_ticks(axis, bounds, width)]
    assert found == texts


SPANS = st.tuples(st.floats(-1e9, 1e9), st.floats(1e-12, 1e9)) | st.tuples(
    st.floats(1e-12, 1e-6), st.floats(1e-12, 1e-6)
)


def true(texts, values, room):
    """Each label is its tick, as far as it goes, has room, and no two say the same."""
    said = [text for text in texts if text]
    assert said
    assert len({read(text) for text in said}) == len(said)
    for text, value in zip(texts, values, strict=True):
        assert len(text) <= room
        if text:
            digits = text.rstrip("kM").partition("e")[0].partition(".")[2]
            power = 10.0 ** (int(text.partition("e")[2] or 0) - len(digits)) * {"k": 1e3, "M": 1e6}.get(
                text[-1], 1
            )
            assert abs(read(text) - value) <= 0.5 * power * (1 + 1e-6)


@given(SPANS, st.integers(2, 9), st.sampled_from([axes.ROOM, 9, 12]))
def test_a_label_says_its_tick(span, most, room):
    values = ticks(span[0], span[0] + span[1], most)
    true(labels(values, room), values, room)


@given(SPANS, st.integers(2, 8), st.booleans())
def test_labels_up_an_axis_are_true_and_fit(span, most, log):
    bounds = (
        axes.log_limits(None, *sorted(map(abs, (span[0] or 1, span[1]))))
        if log
        else axes.limits(None, span[0], span[0] + span[1])
    )
    found = axes.y_ticks(bounds, most, log=log)
    values = [10.0**at if log else at for at, _ in found]
    true([text for _, text in found], values, axes.ROOM)


@given(st.floats(0, 1e6), st.floats(0.5, 1e6), st.integers(30, 160))
def test_no_two_ticks_of_time_say_the_same(low, span, width):
    texts = [text for _, text in axes.x_ticks("time", (low, low + span), width) if text]
    assert len(set(texts)) == len(texts)


def test_small_numbers_are_not_cut():
    assert labels([0.0, 5e-11, 1e-10, 1.5e-10], axes.ROOM) == ("0", "5e-11", "1e-10", "")
    assert labels([0.0, 0.00005, 0.0001], axes.ROOM) == ("0", "5e-5", "0.0001")
    assert labels([0.001, 0.00105, 0.0011]) == ("0.001", "0.00105", "0.0011")
    assert labels([1e6 + 0.001, 1e6 + 0.002], axes.ROOM) == ("1.00e6", "")


def test_a_clock_and_a_value_are_short():
    assert [axes.clock(s) for s in (0.5, 59, 60, 150, 3600, 5400)] == [
        "0.5s",
        "59s",
        "1m",
        "2:30",
        "1h",
        "1h30",
    ]
    assert [axes.value(v) for v in (None, math.nan, 0.031254, 12345.6, 2.5e7)] == [
        "-", "-", "0.03125", "1.235e+04", "2.500e+07",
    ]  # fmt: skip


def test_the_frame_of_a_live_curve_has_its_size_and_its_ticks_where_they_were_asked_for():
    across, up = ((0, "0"), (12, "1k"), (50, "4k")), ((0, "    0 "), (5, "    1 "), (9, "  2.5 "))
    lines = axes.frame((58, 12), across, up)
    assert {len(line) for line in lines} == {58}
    assert [row for row, line in enumerate(lines[:10]) if line[6] == "┤"] == [0, 4, 9]
    assert [column - 7 for column, sign in enumerate(lines[10]) if sign == "┬"] == [0, 12, 50]
    assert lines[11].split() == ["0", "1k", "4k"]
    assert all(line[7:].isspace() for line in lines[:10])
    assert axes.frame((58, 2), (), up[:1])[1].startswith("    0 ┤")


def test_labels_stay_in_the_frame_and_apart_from_each_other():
    up = ((0, "0 "),)
    axis, labels = axes.frame((30, 4), ((0, "0"), (1, "123456"), (12, "200k"), (27, "400k")), up)[-2:]
    assert axis == "  └┬┬──────────┬──────────────┬"[:30]
    assert labels.split() == ["0", "200k", "400k"]
    assert (len(axis), len(labels)) == (30, 30)

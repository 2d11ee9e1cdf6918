"""Minimum, maximum and mean of any range of rows, against brute force."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trainconsole.engine.record.metric_rows import FAN, Growing, Pyramid

ANY = st.floats(width=32, allow_nan=True, allow_infinity=True)


def grown(*parts):
    column = Growing(np.float32)
    for part in parts:
        column.append(part)
    return column


def brute(values, start, stop):
    part = values[start:stop].astype(float)
    part = part[np.isfinite(part)]
    if not len(part):
        return np.nan, np.nan, np.nan, 0
    return part.min(), part.max(), part.mean(), len(part)


def check(pyramid, values, ranges):
    starts, stops = (np.array(side, np.int64) for side in zip(*ranges, strict=True))
    found = pyramid.reduce(starts, stops)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mean = found.mean
    for index, (start, stop) in enumerate(ranges):
        low, high, middle, count = brute(values, start, stop)
        for got, wanted in ((found.low, low), (found.high, high), (found.count, count)):
            np.testing.assert_array_equal(got[index], wanted)
        scale = max(abs(low), abs(high)) if count else 0
        np.testing.assert_allclose(mean[index], middle, rtol=1e-9, atol=1e-9 * scale)


@given(st.data())
@settings(deadline=None)
def test_any_range_of_any_series_appended_in_any_pieces(data):
    values = data.draw(arrays(np.float32, st.integers(1, 400), elements=ANY, fill=ANY))
    cut = data.draw(st.integers(0, len(values)))
    place = st.integers(0, len(values))
    ranges = data.draw(st.lists(st.tuples(place, place), min_size=1, max_size=20))
    column = grown(values[:cut])
    pyramid = Pyramid(column)
    check(pyramid, values, [(min(a, cut), min(b, cut)) for a, b in ranges])
    column.append(values[cut:])
    check(pyramid, values, ranges)


@pytest.mark.parametrize("length", [FAN - 1, FAN, FAN**2, FAN**2 + 1, 3 * FAN**3 + 7])
def test_lengths_about_the_powers_of_the_fan(length):
    rng = np.random.default_rng(length)
    values = rng.normal(size=length).astype(np.float32)
    values[rng.integers(0, length, length // 50)] = np.nan
    places = np.sort(rng.integers(0, length + 1, (50, 2)))
    check(Pyramid(grown(values)), values, [(0, length), (5, 5), (7, 3), *map(tuple, places.tolist())])


def test_a_spike_of_one_step_in_a_million_is_seen_and_costs_its_neighbours_nothing():
    values = np.full(1_000_000, 0.25, np.float32)
    values[777_777] = 1e30
    edges = np.linspace(0, len(values), 101).astype(np.int64)
    found = Pyramid(grown(values)).reduce(edges[:-1], edges[1:])
    assert np.flatnonzero(found.high > 1).tolist() == [77]
    assert np.delete(found.mean, 77).tolist() == [0.25] * 99


def test_an_empty_column_has_empty_ranges():
    found = Pyramid(grown()).reduce(np.zeros(3, np.int64), np.zeros(3, np.int64))
    assert np.isnan(found.low).all()
    assert not found.count.any()


def test_a_column_grows_by_strided_parts():
    column = grown(np.arange(10, dtype=np.float32)[::2], np.arange(5000))
    assert column.values.dtype == np.float32
    assert column.values.tolist() == [0, 2, 4, 6, 8, *range(5000)]


def test_few_ranges_are_reduced_as_many_are():
    noise = np.random.default_rng(0)
    values = noise.normal(size=3 * FAN**2 + 5).astype(np.float32)
    values[noise.integers(0, len(values), 40)] = np.nan
    column = Growing(np.float32)
    column.append(values)
    pyramid = Pyramid(column)
    starts, stops = np.sort(noise.integers(0, len(values), (2, 200)), axis=0)
    many = pyramid.reduce(starts, stops)
    for at in range(len(starts)):
        few = pyramid.reduce(starts[at : at + 1], stops[at : at + 1])
        assert few.count[0] == many.count[at]
        np.testing.assert_array_equal((few.low[0], few.high[0]), (many.low[at], many.high[at]))
        assert few.total[0] == pytest.approx(many.total[at], rel=1e-9, abs=1e-9)

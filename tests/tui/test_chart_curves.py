"""Smoothing, thinning and gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tui.widgets.curves import Averager, decimate, segments, smooth

VALUES = hnp.arrays(
    np.float64,
    st.integers(0, 400),
    elements=st.floats(-1e6, 1e6) | st.just(np.nan) | st.just(np.inf),
    fill=st.nothing(),
)


def reference(values: np.ndarray, weight: float) -> np.ndarray:
    """The recurrence, one value after the other."""
    average, out, count = 0.0, [], 0
    for value in values:
        if not np.isfinite(value):
            out.append(value)
            continue
        count += 1
        average = weight * average + (1 - weight) * value
        out.append(average / (1 - weight**count))
    return np.array(out)


@pytest.mark.parametrize("weight", [0.5, 0.9, 0.99])
@settings(max_examples=40)
@given(values=VALUES)
def test_smoothing_is_the_bias_corrected_average(values: np.ndarray, weight: float) -> None:
    np.testing.assert_allclose(smooth(values, weight), reference(values, weight), rtol=1e-9, atol=1e-6)


@settings(max_examples=40)
@given(values=VALUES, pieces=st.lists(st.integers(0, 400), max_size=4))
def test_smoothing_a_curve_that_grows_is_smoothing_the_whole(values: np.ndarray, pieces: list[int]) -> None:
    averager = Averager(0.9)
    parts = [averager.extend(part) for part in np.split(values, sorted(piece % (len(values) + 1) for piece in pieces))]
    np.testing.assert_allclose(np.concatenate(parts), reference(values, 0.9), rtol=1e-9, atol=1e-6)


def test_smoothing_holds_for_long_series() -> None:
    values = np.random.default_rng(0).standard_normal(5000)
    np.testing.assert_allclose(smooth(values, 0.97), reference(values, 0.97), atol=1e-12)


def test_a_constant_stays_what_it_is_from_its_first_value() -> None:
    np.testing.assert_allclose(smooth(np.full(300, 3.5), 0.99), 3.5)


def test_no_smoothing_changes_nothing() -> None:
    values = np.array([1.0, np.nan, 3.0])
    assert smooth(values, 0) is values


@settings(max_examples=80)
@given(values=VALUES, columns=st.integers(1, 40))
def test_decimation_keeps_at_most_two_points_per_column_and_every_extreme(values: np.ndarray, columns: int) -> None:
    x = np.arange(len(values), dtype=np.float64)
    high = float(max(1, len(values) - 1))
    few_x, few_y = decimate(x, values, columns, 0.0, high)
    assert len(few_x) == len(few_y) <= max(2 * columns, 0)
    assert (np.diff(few_x) > 0).all()
    finite = values[np.isfinite(values)]
    if len(finite):
        assert few_y[np.isfinite(few_y)].min() == finite.min()
        assert few_y[np.isfinite(few_y)].max() == finite.max()


def test_one_spike_in_a_million_survives() -> None:
    x, y = np.arange(1e6), np.zeros(1_000_000)
    y[654_321] = 9.0
    few_x, few_y = decimate(x, y, 70, 0.0, 1e6)
    assert len(few_x) <= 140
    assert few_x[few_y == 9.0].tolist() == [654_321]


def test_a_column_without_a_number_is_a_gap() -> None:
    x, y = np.arange(100.0), np.ones(100)
    y[50:60] = np.nan
    few_x, few_y = decimate(x, y, 10, 0.0, 100.0)
    assert np.isnan(few_y[(few_x >= 50) & (few_x < 60)]).all()
    assert [len(part) for part, _ in segments(few_x, few_y)] == [5, 4]


def test_segments_lie_between_gaps() -> None:
    y = np.array([np.nan, 1, 2, np.inf, 3, np.nan])
    parts = [part.tolist() for _, part in segments(np.arange(6.0), y)]
    assert parts == [[1, 2], [3]]
    assert list(segments(np.empty(0), np.empty(0))) == []

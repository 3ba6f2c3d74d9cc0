"""Axes read well."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tui.widgets.ticks import duration_label, linear_ticks, log_ticks, power_label, time_ticks


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0, 1, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0, 0.3, ["0", "0.1", "0.2", "0.3"]),
        (-5, 5, ["-4", "-2", "0", "2", "4"]),
        (0, 1000, ["0", "200", "400", "600", "800", "1,000"]),
        (0, 120_000, ["0", "50k", "100k"]),
        (950_000, 1_200_000, ["950k", "1,000k", "1,050k", "1,100k", "1,150k", "1,200k"]),
        (0, 30_000_000, ["0", "10M", "20M", "30M"]),
        (1e-9, 3e-9, ["1.0e-9", "1.5e-9", "2.0e-9", "2.5e-9", "3.0e-9"]),
        (8, 8.002, ["8.0000", "8.0005", "8.0010", "8.0015", "8.0020"]),
    ],
)
def test_linear_labels(low: float, high: float, labels: list[str]) -> None:
    assert [tick.label for tick in linear_ticks(low, high, 5)] == labels


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (-4, 0.5, ["1e-4", "1e-3", "0.01", "0.1", "1"]),
        (-3.2, 4.2, ["0.01", "1", "100", "1e4"]),
        (-0.8, 0.5, ["0.2", "0.5", "1", "2"]),
        (-1.4, 0.4, ["0.05", "0.1", "0.2", "0.5", "1", "2"]),
        (2, 2.3, ["100", "120", "140", "160", "180"]),
    ],
)
def test_log_labels(low: float, high: float, labels: list[str]) -> None:
    assert [tick.label for tick in log_ticks(low, high, 5)] == labels


def test_powers_of_ten_read_as_people_write_them() -> None:
    assert [power_label(exponent) for exponent in range(-4, 6)] == [
        "1e-4", "1e-3", "0.01", "0.1", "1", "10", "100", "1,000", "1e4", "1e5",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("high", "labels"),
    [
        (0.5, ["0s", "0.1s", "0.2s", "0.3s", "0.4s", "0.5s"]),
        (100, ["0s", "30s", "1m", "1m30s"]),
        (5000, ["0s", "30m", "1h"]),
        (1e6, ["0s", "3d", "6d", "9d"]),
    ],
)
def test_time_labels(high: float, labels: list[str]) -> None:
    assert [tick.label for tick in time_ticks(0, high, 5)] == labels


def test_durations_have_two_units() -> None:
    assert [duration_label(seconds) for seconds in (0, 59, 61, 3600, 3660, 90_000)] == [
        "0s", "59s", "1m01s", "1h", "1h01m", "1d01h",
    ]  # fmt: skip


@settings(max_examples=300)
@example(low=3602879701896397.0, span=0.5, count=3)
@given(low=st.floats(allow_nan=True, allow_infinity=True), span=st.floats(0, 1e308), count=st.integers(0, 30))
def test_any_range_gives_ticks_inside_it(low: float, span: float, count: int) -> None:
    high = low + span
    for make in (linear_ticks, log_ticks, time_ticks):
        ticks = make(low, high, count)
        assert all(math.isfinite(tick.at) and tick.label for tick in ticks)
        slack = 1e-6 * max(1e-300, high - low) if ticks else 0
        assert all(low - slack <= tick.at <= high + slack for tick in ticks)
        assert len(ticks) <= max(10, 8 * count)

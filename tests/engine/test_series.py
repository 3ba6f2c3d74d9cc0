"""Columns of metrics: shared where they are logged together, and nobody can tell."""

from __future__ import annotations

import tracemalloc
from array import array

from hypothesis import given
from hypothesis import strategies as st

from engine.series import PARTS_KEPT, SERIES_LIMIT, Series, SeriesBook

STEPS = st.lists(st.integers(0, 50), max_size=40).map(sorted)
KEYS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True)


def cells(series: Series) -> list[tuple[int, float, str]]:
    columns = zip(series.steps, series.elapsed_s, series.values, strict=True)
    return [(step, elapsed_s, f"{value:g}") for step, elapsed_s, value in columns]


def test_metrics_that_are_logged_together_share_their_steps() -> None:
    book = SeriesBook()
    book.add(1, 0.1, {"a": 1.0, "b": None})
    book.add(2, 0.2, {"b": 2.0, "a": 1.5})
    assert book["a"].steps is book["b"].steps
    assert cells(book["a"]) == [(1, 0.1, "1"), (2, 0.2, "1.5")]
    assert cells(book["b"]) == [(1, 0.1, "nan"), (2, 0.2, "2")]
    assert list(book) == ["a", "b"]


def test_they_part_when_one_is_logged_without_the_other() -> None:
    book = SeriesBook()
    book.add(1, 0.1, {"a": 1.0, "b": 2.0})
    book.add(2, 0.2, {"a": 3.0, "new": 4.0})
    assert cells(book["a"]) == [(1, 0.1, "1"), (2, 0.2, "3")]
    assert cells(book["b"]) == [(1, 0.1, "2")]
    assert cells(book["new"]) == [(2, 0.2, "4")]


def test_cutting_tells_what_lost_anything_and_lets_others_notice() -> None:
    book = SeriesBook()
    book.add(1, 0.1, {"a": 1.0, "b": 2.0})
    book.add(2, 0.2, {"a": 3.0, "b": 4.0})
    book.add(2, 0.2, {"c": 5.0})
    book.add(1, 0.1, {"d": 5.0})
    assert book.cut(1) == ["a", "b", "c"]
    assert [len(book[key]) for key in book] == [1, 1, 0, 1]
    assert [book[key].cuts for key in book] == [1, 1, 1, 0]


def test_there_are_no_more_metrics_than_memory_is_for() -> None:
    book = SeriesBook()
    for number in range(2 * SERIES_LIMIT):
        book.add(number, 0.1, {f"n{number}": 1.0, "known": 1.0})
    assert len(book) == SERIES_LIMIT
    assert len(book["known"]) == 2 * SERIES_LIMIT


class CountedKey(str):
    """A key that counts how often it is compared."""

    comparisons = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        CountedKey.comparisons += 1
        return str.__eq__(self, other)


def test_a_row_of_very_many_metrics_is_not_searched_for_each_that_is_known() -> None:
    book = SeriesBook()
    book.add(1, 0.1, {CountedKey(f"n{number}"): 1.0 for number in range(SERIES_LIMIT)})
    CountedKey.comparisons = 0
    book.add(2, 0.2, {"n0": 2.0} | {f"other{number}": 1.0 for number in range(5000)})
    assert [len(book[key]) for key in ("n0", "n1")] == [2, 1]
    assert CountedKey.comparisons < 20 * SERIES_LIMIT


def test_rows_of_very_many_metrics_leave_nothing_behind_in_memory() -> None:
    book = SeriesBook()
    tracemalloc.start()
    try:
        for number in range(30):
            book.add(number, 0.1, {f"n{number}/{index}": 1.0 for index in range(20_000)})
        assert tracemalloc.get_traced_memory()[0] < 5_000_000
    finally:
        tracemalloc.stop()


def test_many_parts_are_put_together_when_somebody_looks_or_there_are_very_many() -> None:
    book, count = SeriesBook(), 2 * PARTS_KEPT + 1
    tracemalloc.start()
    try:
        for step in range(count):
            book.extend(array("q", [step]), array("d", [step / 10]), {"a": array("d", [1.0]), "b": array("d", [2.0])})
        assert tracemalloc.get_traced_memory()[0] < 10 * PARTS_KEPT * 100
    finally:
        tracemalloc.stop()
    book.add(count, count / 10, {"a": 3.0, "b": 4.0})
    assert cells(book["b"])[-2:] == [(count - 1, count / 10 - 0.1, "2"), (count, count / 10, "4")]
    assert list(book["a"].steps) == list(range(count + 1))


@given(STEPS, st.integers(-1, 60))
def test_cutting_keeps_exactly_what_came_before(steps: list[int], at: int) -> None:
    book = SeriesBook()
    book.add(0, 0.0, {"a": 0.0})
    for step in steps:
        book.add(step, step / 10, {"a": float(step)})
    book.cut(at)
    series = book["a"]
    assert list(series.steps) == [step for step in [0, *steps] if step <= at]
    assert len(series.values) == len(series.elapsed_s) == len(series)


@given(st.lists(KEYS | st.integers(0, 60), max_size=30))
def test_sharing_changes_no_value(rows: list[list[str] | int]) -> None:
    """Rows of any metrics, one by one and in columns, with cuts between them, against a list for each metric."""
    one_by_one, in_columns = SeriesBook(), SeriesBook()
    expected: dict[str, list[tuple[int, float, str]]] = {}
    for number, keys in enumerate(rows):
        if isinstance(keys, int):
            one_by_one.cut(keys)
            in_columns.cut(keys)
            expected = {key: [cell for cell in known if cell[0] <= keys] for key, known in expected.items()}
            continue
        values = {key: number + index / 10 for index, key in enumerate(keys)}
        one_by_one.add(number, number / 10, values)
        columns = {key: array("d", [value]) for key, value in values.items()}
        in_columns.extend(array("q", [number]), array("d", [number / 10]), columns)
        for key, value in values.items():
            expected.setdefault(key, []).append((number, number / 10, f"{value:g}"))
    for book in (one_by_one, in_columns):
        assert {key: cells(series) for key, series in book.items()} == expected
        assert list(book) == list(expected)

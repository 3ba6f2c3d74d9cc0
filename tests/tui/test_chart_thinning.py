"""Long curves are kept short, and nothing that could be seen is lost."""

from __future__ import annotations

from itertools import groupby, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.series import SeriesBook
from tui.widgets import thinning
from tui.widgets.curves import decimate, smooth
from tui.widgets.thinning import MOST_POINTS, Thinner

Points = list[tuple[float, float]]
VALUE = st.none() | st.floats(-5, 5) | st.sampled_from([0.0, 1.0])


def points_of(thinner: Thinner, book: SeriesBook, by_time: bool = False, smoothing: float = 0.0) -> Points:
    x, y = thinner.points(book["a"], by_time, smoothing)
    return list(zip(x.tolist(), y.tolist(), strict=True))


def long_book(count: int) -> SeriesBook:
    book, values = SeriesBook(), np.random.default_rng(1).standard_normal(count)
    for step, value in enumerate(values.tolist()):
        book.add(step, step * 0.01, {"a": value})
    return book


@pytest.mark.parametrize("by_time", [False, True])
@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 30), VALUE), min_size=1, max_size=300),
    st.lists(st.integers(0, 300), max_size=4),
)
def test_extremes_of_every_stretch_are_kept(
    by_time: bool, rows: list[tuple[int, float | None]], looks: list[int]
) -> None:
    """Looked at now and then while it grows, and thinned to few points."""
    book, thinner, step = SeriesBook(), Thinner(), 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thinning, "MOST_POINTS", 40)
        patch.setattr(thinning, "_AT_ONCE", 32)
        for number, (gap, value) in enumerate(rows):
            step += gap
            book.add(step, step / 10, {"a": value})
            if number in looks:
                points_of(thinner, book, by_time)
        kept = points_of(thinner, book, by_time)
    series = book["a"]
    x = list(series.elapsed_s if by_time else map(float, series.steps))
    everything = list(zip(x, series.values, strict=True))
    assert len(kept) <= 40
    assert repr([kept[0], kept[-1]]) == repr([everything[0], everything[-1]])
    left = iter(map(repr, everything))
    assert all(repr(point) in left for point in kept), "points of the series, in their order"
    width = thinner._known[series][by_time, 0.0]._width or 1.0
    have = {stretch: list(some) for stretch, some in groupby(kept, lambda point: point[0] // width)}
    for stretch, some in groupby(everything, lambda point: point[0] // width):
        all_here = [y for _, y in some]
        finite, positive = [y for y in all_here if y == y], [y for y in all_here if y > 0]
        kept_here = [y for _, y in have[stretch]]
        assert len(finite) == len(all_here) or any(y != y for y in kept_here)
        assert not finite or {min(finite), max(finite)} <= set(kept_here)
        assert not positive or min(positive) in kept_here


def test_a_curve_of_few_points_stays_as_it_is() -> None:
    book = long_book(MOST_POINTS)
    assert points_of(Thinner(), book) == list(zip(book["a"].steps, book["a"].values, strict=True))


def test_a_long_curve_looks_the_same_as_all_its_points() -> None:
    book = long_book(100_000)
    x, y = np.array(book["a"].steps, float), np.array(book["a"].values)
    few_x, few_y = Thinner().points(book["a"], False, 0.0)
    assert len(few_x) <= MOST_POINTS
    for columns in (8, 64):  # whole stretches: powers of two, as is their width
        high = 2.0**17
        for of_all, of_few in zip(
            decimate(x, y, columns, 0.0, high), decimate(few_x, few_y, columns, 0.0, high), strict=True
        ):
            np.testing.assert_array_equal(of_all, of_few)


@pytest.mark.parametrize("last_s", [0.0, 1e-323, 1e-321, 1e-310, 1e-15])
def test_times_that_hardly_differ_are_one_and_what_follows_is_drawn(last_s: float) -> None:
    """Where a stretch would be narrower than any number, and where all rows are of one instant."""
    book, thinner = SeriesBook(), Thinner()
    for step in range(3000):
        book.add(step, 0.0, {"a": step % 7})
    book.add(3000, last_s, {"a": 3.0})
    kept = points_of(thinner, book, by_time=True)
    assert {(0.0, 0.0), (0.0, 6.0), (last_s, 3.0)} <= set(kept)
    assert len(kept) <= MOST_POINTS
    for step in range(3001, 9001):
        book.add(step, step * 0.01, {"a": step})
    assert MOST_POINTS // 4 < len(points_of(thinner, book, by_time=True)) <= MOST_POINTS


def test_smoothing_comes_before_thinning() -> None:
    book, thinner = long_book(5000), Thinner()
    grown = SeriesBook()
    for step, value in enumerate(book["a"].values):
        grown.add(step, step * 0.01, {"a": value})
        if step % 700 == 0:
            points_of(thinner, grown, smoothing=0.97)
    x, y = thinner.points(grown["a"], False, 0.97)
    assert len(x) < 5000
    np.testing.assert_allclose(y, smooth(np.array(book["a"].values), 0.97)[x.astype(int)], atol=1e-12)


def test_what_a_run_goes_back_over_is_forgotten() -> None:
    book, thinner = long_book(100), Thinner()
    points_of(thinner, book)
    book.cut(49)
    for step in range(50, 100):
        book.add(step, step * 0.01, {"a": 7.0})
    assert [y for _, y in points_of(thinner, book)[50:]] == [7.0] * 50


def test_what_is_known_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost of a look depends on what is new, not on the length of a run."""
    looked: list[int] = []
    real = thinning._worth_drawing
    monkeypatch.setattr(thinning, "_worth_drawing", lambda stretch, y: looked.append(len(y)) or real(stretch, y))
    book, thinner = long_book(200_000), Thinner()
    points_of(thinner, book)
    looked.clear()
    for step in range(200_000, 203_000):
        book.add(step, step * 0.01, {"a": 0.5})
        if step % 100 == 0:
            points_of(thinner, book)
    assert looked
    assert max(looked) <= MOST_POINTS + 100


def test_few_sorts_of_a_series_are_remembered() -> None:
    book, thinner = long_book(10), Thinner()
    for smoothing in (0.0, 0.5, 0.8, 0.9, 0.97, 0.99):
        points_of(thinner, book, True, smoothing)
    assert len(thinner._known[book["a"]]) == 4
    assert all(before[0] <= after[0] for before, after in pairwise(points_of(thinner, book)))

"""Curves of long runs kept short: what is drawn costs the same however long the run is."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from engine.series import Series
from tui.widgets.curves import Averager, Floats, Indices, least_places

MOST_POINTS = 2048
"""Several times as many as a chart has columns, so that each column has its own least and greatest among them."""
NARROWEST = 2.0**-30
"""Steps, or seconds, that are told apart: a stretch of a billionth. Narrower ones may be narrower than any number."""
_AT_ONCE = 1 << 16
_WAYS_KEPT = 4
"""Sorts of a series that are kept at once: raw and smoothed, on the axis now shown and on the one before."""


class Thinner:
    """Knows the points of series that are worth drawing, and looks only at what is new since it was last asked."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Series, dict[tuple[bool, float], _Thinned]] = WeakKeyDictionary()

    def points(self, series: Series, by_time: bool, smoothing: float) -> tuple[Floats, Floats]:
        """Points (x, y) of `series`, at most some `MOST_POINTS`: with the least and the greatest value, the least one
        above 0 and one that is not finite of every narrow stretch of x, and the first and the last of all.

        Args:
            by_time: Whether x is the training time in seconds, or else the step.
            smoothing: As in `smooth`; values are smoothed before they are thinned out.
        """
        ways = self._known.setdefault(series, {})
        way = (by_time, smoothing)
        thinned = ways.pop(way, None)
        if thinned is None or thinned.cuts != series.cuts:
            thinned = _Thinned(series.cuts, smoothing)
        ways[way] = thinned
        while len(ways) > _WAYS_KEPT:
            del ways[next(iter(ways))]
        thinned.take_from(series, by_time)
        return thinned.x, thinned.y


class _Thinned:
    """Of each stretch of x, `_width` wide, the points that matter. When they are too many, stretches grow wider."""

    def __init__(self, cuts: int, smoothing: float) -> None:
        self.cuts = cuts
        self.x = self.y = np.empty(0)
        self._taken = 0
        self._width = 0.0
        self._averager = Averager(smoothing)

    def take_from(self, series: Series, by_time: bool) -> None:
        """Take in what has come since."""
        while self._taken < len(series):
            new = slice(self._taken, self._taken + _AT_ONCE)
            values = self._averager.extend(np.array(series.values[new]))
            x = (series.elapsed_s if by_time else series.steps)[new]
            self.x, self.y = np.append(self.x, x), np.append(self.y, values)
            self._taken += len(values)
            self._thin_out()

    def _thin_out(self) -> None:
        while len(self.x) > MOST_POINTS:
            if self._width:
                with np.errstate(over="ignore"):  # what lies beyond all numbers is one stretch
                    keep = _worth_drawing(np.floor(self.x / self._width), self.y)
                self.x, self.y = self.x[keep], self.y[keep]
            if len(self.x) > MOST_POINTS:
                # twice as wide: what mattered of two stretches is all that can matter of both
                with np.errstate(over="ignore"):
                    span = float(self.x.max() - self.x.min())
                narrowest = 2.0 ** np.floor(np.log2(max(span / MOST_POINTS, NARROWEST)))
                self._width = max(2 * self._width, narrowest)


def _worth_drawing(stretch: Floats, y: Floats) -> Indices:
    """Places of the points to keep.

    Args:
        stretch: (N,) which stretch each point lies in.
        y: (N,)
    """
    starts = np.flatnonzero(np.append(True, stretch[1:] != stretch[:-1]))
    group = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(y)))
    finite = np.isfinite(y)
    kept = [np.array([0, len(y) - 1])]
    for sort_of, rank in ((finite, y), (finite, -y), (finite & (y > 0), y), (~finite, np.zeros(len(y)))):
        places = least_places(np.where(sort_of, rank, np.inf), starts, group)
        kept.append(places[sort_of[places]])
    return np.unique(np.concatenate(kept))

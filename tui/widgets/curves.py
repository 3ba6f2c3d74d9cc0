"""Curves before they are drawn: smoothing, thinning, gaps. NumPy only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_BLOCK = 64


class Role(IntEnum):
    """What a cell of a chart shows; themes give each role its style."""

    AXIS = 0
    TRAIN = 1
    VAL = 2
    THIRD = 3
    FOURTH = 4
    FIFTH = 5
    SIXTH = 6
    OVERLAY = 7
    RAW_TRAIN = 8
    RAW_VAL = 9
    MARK = 10
    BAD = 11


GLYPHS = {
    Role.TRAIN: "●",
    Role.VAL: "◆",
    Role.THIRD: "▲",
    Role.FOURTH: "■",
    Role.FIFTH: "▼",
    Role.SIXTH: "★",
    Role.OVERLAY: "○",
}
"""What tells curves apart without colour: the sign at a curve's end and before its name."""

CYCLE = (Role.TRAIN, Role.VAL, Role.THIRD, Role.FOURTH, Role.FIFTH, Role.SIXTH)


@dataclass(frozen=True, eq=False)
class Curve:
    """Points (x, y) in the order of x; y is NaN or infinite where there is no value to draw."""

    label: str
    """Empty for a curve without a name, such as the raw values behind a smoothed curve."""
    x: Floats
    y: Floats
    role: Role
    is_line: bool = True
    """Whether the points are joined."""


def smooth(values: Floats, weight: float) -> Floats:
    """Exponential moving average of `values` with bias correction.

    Args:
        values: (N,); values that are not finite stay where they are and are passed over.
        weight: Share of the past, from 0 (nothing changes) to just below 1.
    """
    return Averager(weight).extend(values)


class Averager:
    """Smooths a curve that grows; see `smooth`."""

    def __init__(self, weight: float) -> None:
        self._weight = weight
        self._count, self._carry = 0, 0.0

    def extend(self, values: Floats) -> Floats:
        """Smoothed `values`, which follow those of the calls before."""
        if self._weight <= 0:
            return values
        finite = np.isfinite(values)
        smoothed = values.copy()
        smoothed[finite] = self._average(values[finite])
        return smoothed

    def _average(self, values: Floats) -> Floats:
        """The recurrence in blocks, each one a matrix product, so that a million values take milliseconds."""
        count, weight = len(values), self._weight
        if not count:
            return values
        blocks = np.pad(values, (0, -count % _BLOCK)).reshape(-1, _BLOCK)
        age = np.arange(_BLOCK)[:, None] - np.arange(_BLOCK)[None, :]
        within = blocks @ np.where(age >= 0, (1 - weight) * weight ** np.maximum(age, 0), 0.0).T
        carried, carry, decay = np.empty(len(blocks)), self._carry, weight**_BLOCK
        for index, last in enumerate(within[:, -1].tolist()):
            carried[index] = carry
            carry = decay * carry + last
        average = (within + carried[:, None] * weight ** np.arange(1, _BLOCK + 1)).ravel()[:count]
        self._carry = float(average[-1])
        young = max(0, min(count, int(-40 / np.log(weight)) + 1 - self._count))
        # later on the correction is 1 to the last bit
        average[:young] /= 1 - weight ** np.arange(self._count + 1, self._count + young + 1, dtype=np.float64)
        self._count += count
        return np.asarray(average)


def decimate(x: Floats, y: Floats, columns: int, low: float, high: float) -> tuple[Floats, Floats]:
    """At most two points per column: the least and the greatest of each, so that spikes survive.

    Args:
        x: (N,) rising.
        y: (N,); columns without any finite value keep one NaN, which is a gap.
        columns: Number of columns between `low` and `high`.
    """
    if len(x) <= 2 * columns or columns < 1 or not high > low:
        return x, y
    inner = low + np.arange(1, columns) * ((high - low) / columns)
    edges = np.unique(np.concatenate(([0], np.searchsorted(x, inner), [len(x)])))
    finite = np.isfinite(y)
    below, above = np.where(finite, y, np.inf), np.where(finite, -y, np.inf)
    starts = edges[:-1]
    column = np.repeat(np.arange(len(starts)), np.diff(edges))
    chosen = np.unique([least_places(values, starts, column) for values in (below, above)])
    return x[chosen], np.where(finite[chosen], y[chosen], np.nan)


def least_places(values: Floats, starts: Indices, group: Indices) -> Indices:
    """Where in each group the least value stands, the first if there are several.

    Args:
        values: (N,), without NaN.
        starts: (groups,) where each begins.
        group: (N,) which one each value is in.
    """
    hits = np.flatnonzero(values == np.minimum.reduceat(values, starts)[group])
    return hits[np.diff(group[hits], prepend=-1) > 0]


def segments(x: Floats, y: Floats) -> Iterator[tuple[Floats, Floats]]:
    """The stretches of a curve between its gaps."""
    edges = np.diff(np.isfinite(y).astype(np.int8), prepend=0, append=0)
    for start, end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        yield x[start:end], y[start:end]

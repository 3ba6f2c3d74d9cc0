"""What a chart shows of its curves: scales, ranges, and the values that have no place on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from tui.widgets.curves import Curve, Floats

Marker = Literal["braille", "hd", "dot"]
Scale = Literal["steps", "epochs", "time", "number"]

_LARGEST = 1e290
"""Beyond it differences overflow: treated like infinity."""


class Mark(NamedTuple):
    """Something that happened at x."""

    x: float
    label: str


@dataclass(frozen=True)
class Look:
    """How curves are to be drawn."""

    log_y: bool = False
    scale: Scale = "steps"
    marker: Marker = "braille"
    is_share: bool = False
    """Whether y lies between 0 and 1, like an accuracy."""
    ends: tuple[float, float] | None = None
    """Ends of the y axis where they do not depend on the curves."""
    names_at_ends: bool = True


class Extent(NamedTuple):
    """One axis from end to end."""

    low: float
    high: float

    def share(self, values: Floats) -> Floats:
        """0 at the low end, 1 at the high one."""
        return np.asarray((values - self.low) / (self.high - self.low))

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        return (value - self.low) / (self.high - self.low)

    def widened(self, share: float) -> Extent:
        """So much longer that each old end lies at `share` of the new length from the new one."""
        more = (self.high - self.low) * share / (1 - 2 * share)
        return Extent(self.low - more, self.high + more)


def scaled(curve: Curve, log_y: bool) -> Curve:
    """`curve` with NaN in place of all that cannot be drawn, as logarithms if asked for."""
    with np.errstate(all="ignore"):
        y = np.where(np.abs(curve.y) < _LARGEST, curve.y, np.nan)
        if log_y:
            y = np.where(y > 0, np.log10(np.where(y > 0, y, 1.0)), np.nan)
    return Curve(curve.label, curve.x, y, curve.role, curve.is_line)


def misfits(curves: Sequence[Curve], log_y: bool) -> tuple[Floats, Floats]:
    """Where values are not finite, and where they have no logarithm."""
    bad, nonpositive = [np.empty(0)], [np.empty(0)]
    for curve in curves:
        with np.errstate(invalid="ignore"):
            finite = np.abs(curve.y) < _LARGEST
            bad.append(curve.x[~finite])
            if log_y:
                nonpositive.append(curve.x[finite & (curve.y <= 0)])
    return np.concatenate(bad), np.concatenate(nonpositive)


def x_extent(curves: Sequence[Curve], scale: Scale) -> Extent:
    xs = [curve.x for curve in curves if len(curve.x)]
    if not xs:
        return Extent(0.0, 1.0)
    low, high = min(float(x[0]) for x in xs), max(float(x[-1]) for x in xs)
    if scale != "number" and 0 < low < high / 10:
        low = 0.0
    if not high - low > 1e-12 * max(abs(low), abs(high), 1e-290):
        pad = max(1.0, 1e-9 * abs(low))  # beyond 2**53 a number and the next are one and the same
        return Extent(low - pad, low + pad)
    return Extent(low, high)


def y_extent(curves: Sequence[Curve], look: Look) -> Extent:
    if look.ends is not None:
        return Extent(*look.ends)
    values = [curve.y[np.isfinite(curve.y)] for curve in curves]
    values = [value for value in values if len(value)]
    if not values:
        return Extent(0.0, 1.0)
    low, high = min(float(value.min()) for value in values), max(float(value.max()) for value in values)
    span = high - low
    is_flat = span < 1e-290 or not span > 1e-9 * max(abs(low), abs(high))
    pad = (0.1 * abs(low) or 0.5) if is_flat else 0.03 * span
    padded = Extent(low - pad, high + pad)
    if look.is_share and not look.log_y and low >= 0 and high <= 1:
        padded = Extent(max(0.0, padded.low), min(1.0, padded.high))
    elif low >= 0 > padded.low and not look.log_y:
        padded = Extent(0.0, padded.high)
    return padded

"""A curve of a few cells, without axes."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from tui.widgets.braille import BLANK, DOTS


def spark(values: Sequence[float], cells: int, rows: int) -> list[str]:
    """`values` in their order as a line of braille dots, `rows` lines of `cells`; none where there are not two.

    Each column of dots is the mean of what falls into it; values that are not finite are left out.
    """
    values = [value for value in values if isfinite(value)]
    if len(values) < 2:
        return []
    scale = max(map(abs, values)) or 1.0  # so that no difference is too large for a float
    points = _columns([value / scale for value in values], 2 * cells)
    low, high = min(points), max(points)
    steps = 4 * rows - 1
    heights = [round((high - value) / (high - low) * steps) if high > low else steps for value in points]
    bits = [[BLANK] * cells for _ in range(rows)]
    for column, height in enumerate(heights):
        before = heights[column - 1] if column else height
        # dots reach up or down to the one before, so that steep lines hang together
        for dot in range(min(height, before + (height > before)), max(height, before - (height < before)) + 1):
            bits[dot // 4][column // 2] |= DOTS[dot % 4][column % 2]
    return ["".join(map(chr, row)) for row in bits]


def _columns(values: Sequence[float], columns: int) -> list[float]:
    """Means of `columns` parts of `values`, or as many values as there are columns where they are fewer."""
    found = []
    for column in range(columns):
        start = column * len(values) // columns
        part = values[start : max(start + 1, (column + 1) * len(values) // columns)]
        found.append(sum(part) / len(part))
    return found

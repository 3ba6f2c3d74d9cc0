"""Learned numbers beside the true ones."""

from __future__ import annotations

import math

from tui.widgets.cells import Cells
from tui.widgets.figure_arrays import Arrays, numbers, same_length, words
from tui.widgets.narrow import narrow
from tui.widgets.palette import Palette
from tui.widgets.quantities import number

_NUMBER_CELLS = 10
_BAR_LEAST = 12


def draw_compare(arrays: Arrays, width: int, height: int, palette: Palette) -> Cells:
    """The figure `compare` in `width` times `height` cells.

    Raises:
        FigureError: the arrays make no such figure.
    """
    names, learned, truth = words(arrays, "names"), numbers(arrays, "learned", 1), numbers(arrays, "truth", 1)
    same_length(names=len(names), learned=len(learned), truth=len(truth))
    cells = Cells(width, height, palette)
    name_width = min(16, max([len(name) for name in names] or [0]) + 2)
    columns = [name_width, name_width + _NUMBER_CELLS, name_width + 2 * _NUMBER_CELLS]
    bar_at = name_width + 3 * _NUMBER_CELLS + 2
    bar_width = width - bar_at - 1
    has_heading = height >= 3
    pitch = 2 if height >= 2 * len(names) + 2 else 1
    top = max(0, (height - len(names) * pitch - has_heading) // 2)
    if has_heading:
        for at, heading in zip(columns, ("learned", "truth", "off by"), strict=True):
            cells.put(top, at, f"{heading:>{_NUMBER_CELLS}}", palette.muted)
        if bar_width >= _BAR_LEAST:
            cells.put(top, bar_at, narrow("█ learned  ┃ truth", bar_width), palette.muted)
        top += 1
    reach = max([abs(value) for value in (*learned.tolist(), *truth.tolist()) if abs(value) < 1e300] or [1.0]) or 1.0
    for index, (name, found, wanted) in enumerate(zip(names, learned.tolist(), truth.tolist(), strict=True)):
        row = top + index * pitch
        cells.put(row, 0, f"{narrow(name, name_width - 2):>{name_width - 1}}", palette.foreground)
        for at, value in zip(columns, (found, wanted, found - wanted), strict=True):
            cells.put(row, at, f"{number(value):>{_NUMBER_CELLS}}", palette.foreground)
        if bar_width >= _BAR_LEAST:
            _draw_bar(cells, row, bar_at, bar_width, found / reach, wanted / reach)
    return cells


def _draw_bar(cells: Cells, row: int, left: int, width: int, learned: float, truth: float) -> None:
    """A bar from the zero in the middle to `learned` and a sign at `truth`, both from -1 to 1."""
    palette, middle = cells.palette, width // 2
    cells.put(row, left, "─" * width, palette.mix(palette.foreground, 0.2))
    cells.put(row, left + middle, "┼", palette.muted)
    if math.isfinite(learned):
        end = middle + round(learned * middle)
        low, high = sorted((middle, end))
        cells.put(row, left + low, "█" * (high - low + 1), palette.primary)
    if math.isfinite(truth):
        cells.put(row, left + min(width - 1, middle + round(truth * middle)), "┃", palette.accent, bold=True)

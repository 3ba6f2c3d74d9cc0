"""Decision regions: a tinted map of what the model says, with the data points over it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.figures import FigureError
from tui.widgets.cells import Cells
from tui.widgets.curves import Floats
from tui.widgets.figure_arrays import Arrays, Ints, integers, name_of, numbers, same_length, words
from tui.widgets.narrow import narrow
from tui.widgets.palette import Palette

SOLID = "●▲■◆▼★"
HOLLOW = "○△□◇▽☆"
"""Solid signs are data points, hollow ones what the model says of a place."""

_STRETCH = 1.5
"""A map may be that much wider than true to scale: a terminal is wide."""
_LATTICE = (7, 3)
"""Cells between two hollow signs, across and down."""


def draw_regions(arrays: Arrays, width: int, height: int, palette: Palette) -> Cells:
    """The figure `regions` in `width` times `height` cells.

    Raises:
        FigureError: the arrays make no such figure.
    """
    regions = _Regions(arrays)
    cells = Cells(width, height, palette)
    legend_width = min(28, max(len(line.text) for line in _legend(regions, len(regions.labels) - 1)))
    beside = width >= legend_width + 24 and height >= 4
    lines, columns = (height, width - legend_width - 2) if beside else (height - 1 if height >= 4 else height, width)
    columns = min(columns, max(1, round(2 * lines * regions.aspect * _STRETCH)))
    if lines < 1 or columns < 1:
        return cells
    left = max(0, (width - columns - legend_width - 2) // 2) if beside else (width - columns) // 2
    drawn = regions.spread(columns * lines)
    _draw_map(cells, regions, left, columns, lines)
    _draw_points(cells, regions, drawn, left, columns, lines)
    if beside:
        _draw_legend(cells, _legend(regions, len(drawn)), left + columns + 2, legend_width)
    elif lines < height:
        _draw_line_of_names(cells, regions, height - 1)
    return cells


class _Line(NamedTuple):
    """A line of the legend."""

    text: str
    label: int = -1
    """The class that gives it its colour."""
    is_wrong: bool = False
    """Whether it is a sample of points that lie in the region of another class."""


class _Regions:
    """The checked arrays."""

    def __init__(self, arrays: Arrays) -> None:
        self.classes = integers(arrays, "classes", 2)
        if not self.classes.size:
            raise FigureError("array 'classes' is empty")
        extent = numbers(arrays, "extent", 1)
        if len(extent) != 4 or not np.isfinite(extent).all():
            raise FigureError("'extent' is not four numbers x0 x1 y0 y1")
        self.x0, self.x1, self.y0, self.y1 = extent.tolist()
        if not (self.x1 > self.x0 and self.y1 > self.y0):
            raise FigureError("'extent' is empty")
        points, self.labels = numbers(arrays, "points", 2), integers(arrays, "labels", 1)
        same_length(points=len(points), labels=len(self.labels))
        if points.shape[1] != 2:
            raise FigureError("'points' has not two columns")
        with np.errstate(all="ignore"):
            across = (points[:, 0] - self.x0) / (self.x1 - self.x0)
            down = (self.y1 - points[:, 1]) / (self.y1 - self.y0)
        inside = (across >= 0) & (across <= 1) & (down >= 0) & (down <= 1)
        self.across: Floats = across[inside]
        self.down: Floats = down[inside]
        self.labels = self.labels[inside]
        self.names = words(arrays, "names")
        self.count = max(1, min(36, len(self.names)))
        self.is_wrong = self.predicted(self.across, self.down) != self.labels

    @property
    def aspect(self) -> float:
        """Width to height."""
        return float(np.clip((self.x1 - self.x0) / (self.y1 - self.y0), 0.1, 10))

    def predicted(self, across: Floats, down: Floats) -> Ints:
        """The class said of each place, given as shares of the map."""
        rows, columns = self.classes.shape
        at = (np.minimum((down * rows).astype(int), rows - 1), np.minimum((across * columns).astype(int), columns - 1))
        return np.asarray(self.classes[at])

    def sign(self, index: int, solid: bool) -> str:
        """The sign of a class: a shape, or a letter where there are more classes than shapes."""
        if self.count <= len(SOLID):
            return (SOLID if solid else HOLLOW)[index % len(SOLID)]
        return "0123456789abcdefghijklmnopqrstuvwxyz"[index % 36]

    def spread(self, places: int) -> Ints:
        """Which points to draw in so many cells: so few that the map can still be seen, misplaced ones first and last.

        Those that are right make room for the others, which are left out only where they would be most of the picture.
        """
        wrong = np.flatnonzero(self.is_wrong)
        shown = _thinned(wrong, max(4, places // 3))
        right = _thinned(np.flatnonzero(~self.is_wrong), max(4, places // 7 - len(shown)))
        return np.concatenate((right, shown))


def _thinned(which: Ints, most: int) -> Ints:
    return np.asarray(which[np.linspace(0, len(which) - 1, min(len(which), most)).astype(int)])


def _legend(regions: _Regions, drawn: int) -> list[_Line]:
    """What signs mean, and how many points there are, of which `drawn` are drawn."""
    points, wrong = len(regions.labels), int(regions.is_wrong.sum())
    lines = [
        _Line(f"{regions.sign(index, True)} {name_of(regions.names, index)}", index) for index in range(regions.count)
    ]
    if points:
        lines += [_Line(""), _Line(f"{points:,} points"), _Line(f"{points - wrong:,} right")]
        lines += [_Line(f"{drawn:,} drawn")] if drawn < points else []
    lines += [_Line(""), _Line("solid  data"), _Line("hollow model")]
    if wrong:
        signs = "".join(regions.sign(index, True) for index in range(min(3, regions.count)))
        lines.append(_Line(f"{signs:<6} wrong", is_wrong=True))
    return lines


def _draw_legend(cells: Cells, legend: list[_Line], column: int, width: int) -> None:
    """The legend in the middle of the height, closer where it would not fit."""
    palette = cells.palette
    legend = legend if len(legend) <= cells.height else [line for line in legend if line.text]
    for row, line in enumerate(legend, max(0, (cells.height - len(legend)) // 2)):
        ink = palette.foreground if line.is_wrong else palette.muted
        ink = palette.class_color(line.label) if line.label >= 0 else ink
        cells.put(row, column, narrow(line.text, width), ink, bold=line.is_wrong)


def _draw_map(cells: Cells, regions: _Regions, left: int, columns: int, lines: int) -> None:
    across, down = _centres(columns), _centres(2 * lines)
    said = regions.predicted(*(grid.ravel() for grid in np.meshgrid(across, down))).reshape(2 * lines, columns)
    palette = cells.palette
    papers: NDArray[np.uint8] = np.array(palette.class_papers, dtype=np.uint8)
    cells.put_pixels(0, left, papers[said % len(papers)])
    step_across, step_down = _LATTICE
    for row in range(step_down // 2, lines, step_down):
        for column in range(step_across // 2, columns, step_across):
            upper, lower = int(said[2 * row, column]), int(said[2 * row + 1, column])
            if upper == lower:
                paper = palette.class_paper(upper)
                cells.put(row, left + column, regions.sign(upper, False), palette.hollow_ink(upper), paper)


def _draw_points(cells: Cells, regions: _Regions, drawn: Ints, left: int, columns: int, lines: int) -> None:
    """The points of the numbers `drawn`; misplaced ones are bold."""
    palette = cells.palette
    for index in drawn.tolist():
        row = min(lines - 1, int(regions.down[index] * lines))
        column = left + min(columns - 1, int(regions.across[index] * columns))
        label = int(regions.labels[index])
        paper = cells.paper_at(row, column) or palette.background
        if regions.is_wrong[index]:
            paper = palette.background if palette.depth == "standard" else paper
            cells.put(row, column, regions.sign(label, True), palette.foreground, paper, bold=True)
        else:
            cells.put(row, column, regions.sign(label, True), palette.solid_ink(label, paper), paper)


def _draw_line_of_names(cells: Cells, regions: _Regions, row: int) -> None:
    column = 0
    for index in range(regions.count):
        text = f"{regions.sign(index, True)} {narrow(name_of(regions.names, index), 12)}  "
        if column + len(text) > cells.width + 2:
            break
        cells.put(row, column, text, cells.palette.class_color(index))
        column += len(text)


def _centres(count: int) -> Floats:
    return (np.arange(count) + 0.5) / count

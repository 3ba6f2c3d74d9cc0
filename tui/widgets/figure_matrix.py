"""Confusion matrix: numbers with shading where they fit, shades of characters where they do not."""

from __future__ import annotations

import numpy as np

from engine.figures import FigureError
from tui.widgets.cells import Cells
from tui.widgets.curves import Floats
from tui.widgets.figure_arrays import Arrays, Ints, integers, name_of, words
from tui.widgets.narrow import narrow
from tui.widgets.palette import Palette, Rgb

_SHADES = "·░▒▓█"
_NAME_LIMIT = 14


def draw_matrix(arrays: Arrays, width: int, height: int, palette: Palette) -> Cells:
    """The figure `matrix` in `width` times `height` cells.

    Raises:
        FigureError: the arrays make no such figure.
    """
    counts, names = integers(arrays, "counts", 2), words(arrays, "names")
    if not counts.size or counts.shape[0] != counts.shape[1]:
        raise FigureError(f"'counts' is {counts.shape[0]} by {counts.shape[1]}, not square")
    if counts.min() < 0:
        raise FigureError("'counts' holds negative numbers")
    cells = Cells(width, height, palette)
    classes = len(counts)
    digits = len(str(int(counts.max())))
    label_width = min(_NAME_LIMIT, max(len(name_of(names, index)) for index in range(classes)) + 1)
    fits = label_width + classes * (digits + 1) <= width and classes + 1 <= height
    if fits:
        _Table(cells, counts, names, label_width, digits).draw()
    else:
        _draw_shades(cells, counts)
    return cells


class _Table:
    """Numbers in cells that grow with the room there is."""

    def __init__(self, cells: Cells, counts: Ints, names: list[str], label_width: int, digits: int) -> None:
        self.cells, self.counts, self.names, self.label_width = cells, counts, names, label_width
        classes = len(counts)
        spare = cells.height - 1 - classes
        self.has_summary = spare >= 1
        self.has_axis = spare >= 2
        self.line = max(1, min(3, (cells.height - 3) // classes))
        room = cells.width - label_width
        self.has_recall = room - 7 >= classes * (digits + 1)
        room -= 7 if self.has_recall else 0
        widest = max(digits + 2, 2 * self.line + 4)
        self.column = min(room // classes, max(widest, min(9, max(len(name) for name in names or [""]) + 1)))
        used = label_width + classes * self.column + (7 if self.has_recall else 0)
        self.left = max(0, (cells.width - used) // 2)

    def draw(self) -> None:
        """Heading, rows and a line that sums them up."""
        cells, palette, counts = self.cells, self.cells.palette, self.counts
        classes = len(counts)
        used = classes * self.line + 1 + self.has_axis + self.has_summary
        row = max(0, (cells.height - used) // 2)
        start = self.left + self.label_width
        if self.has_axis:
            cells.put(row, self.left, narrow("truth ↓  predicted →", cells.width), palette.muted)
            row += 1
        for index in range(classes):
            name = narrow(name_of(self.names, index), self.column - 1)
            cells.put(row, start + index * self.column, f"{name:>{self.column - 1}}", palette.muted)
        if self.has_recall:
            cells.put(row, start + classes * self.column, " found", palette.muted)
        for index in range(classes):
            self._draw_row(row + 1 + index * self.line, index)
        if self.has_summary:
            summary = narrow(self._summary(), cells.width)
            at = max(0, min(self.left, cells.width - len(summary)))
            cells.put(row + 1 + classes * self.line, at, summary, palette.muted)

    def _draw_row(self, top: int, index: int) -> None:
        cells, palette, counts = self.cells, self.cells.palette, self.counts
        total = int(counts[index].sum())
        middle = top + self.line // 2
        name = narrow(name_of(self.names, index), self.label_width - 1)
        cells.put(middle, self.left, f"{name:>{self.label_width - 1}}", palette.foreground)
        start = self.left + self.label_width
        for column, count in enumerate(counts[index].tolist()):
            paper = _paper(palette, count / max(1, total), column == index)
            text = str(count) if count else "·"
            for line in range(top, top + self.line):
                shown = text if line == middle else ""
                at = start + column * self.column
                cells.put(line, at, f"{shown:>{self.column - 1}} ", _ink(palette, count, paper), paper, column == index)
        if self.has_recall and total:
            share = counts[index, index] / total
            text = "100%" if share == 1 else f"{share:.1%}"
            cells.put(middle, start + len(counts) * self.column, f"{text:>6}", palette.foreground)

    def _summary(self) -> str:
        right, total = int(np.trace(self.counts)), int(self.counts.sum())
        if not total:
            return "nothing counted yet"
        wrong = self.counts.copy()
        np.fill_diagonal(wrong, 0)
        text = f"{right:,} of {total:,} right ({right / total:.1%})"
        if wrong.max() == 0:
            return text
        truth, guess = np.unravel_index(int(wrong.argmax()), wrong.shape)
        # how often stands before the names, which may have to be cut
        worst = f"{int(wrong.max()):,}× {name_of(self.names, int(truth))} taken for {name_of(self.names, int(guess))}"
        whole = f"{text} · most often {worst}"
        return whole if len(whole) <= self.cells.width else f"{text} · {worst}"


def _paper(palette: Palette, share: float, is_right: bool) -> Rgb:
    if share <= 0:
        return palette.mix(palette.foreground, 0.04)
    # roots lift small shares: one error among a hundred must be seen
    return palette.mix(palette.primary if is_right else palette.error, 0.12 + 0.72 * float(np.sqrt(share)))


def _ink(palette: Palette, count: int, paper: Rgb) -> Rgb:
    return palette.ink(paper) if count else palette.mix(palette.foreground, 0.35)


def _draw_shades(cells: Cells, counts: Ints) -> None:
    """Every class one character (or a block of classes, where there are more than cells), denser for more."""
    size = min(len(counts), cells.height - (1 if cells.height > 4 else 0), cells.width)
    if size < 1:
        return
    edges = np.linspace(0, len(counts), size + 1).astype(int)[:-1]
    blocks = np.add.reduceat(np.add.reduceat(counts, edges, axis=0), edges, axis=1).astype(np.float64)
    shares: Floats = blocks / np.maximum(1, blocks.sum(axis=1, keepdims=True))
    wide = 2 if 2 * size <= cells.width else 1
    left = (cells.width - wide * size) // 2
    palette = cells.palette
    for row in range(size):
        for column in range(size):
            share = float(shares[row, column])
            shade = _SHADES[0] if share <= 0 else _SHADES[min(4, 1 + int(np.sqrt(share) * 3.999))]
            ink = palette.mix(palette.foreground, 0.3) if share <= 0 else _shade_ink(palette, row == column)
            cells.put(row, left + wide * column, shade * wide, ink)
    if size < cells.height:
        right, total = int(np.trace(counts)), int(counts.sum())
        line = f"{right / max(1, total):.1%} right; rows truth, columns predicted; z for more room"
        cells.put(size, max(0, (cells.width - len(line)) // 2), narrow(line, cells.width), palette.muted)


def _shade_ink(palette: Palette, is_right: bool) -> Rgb:
    return palette.primary if is_right else palette.error

"""Lines of words: what was spelled after each epoch, letter by letter, or words that belong to a label."""

from __future__ import annotations

import textwrap
from itertools import zip_longest

from tui.widgets.cells import Cells
from tui.widgets.figure_arrays import Arrays, same_length, words
from tui.widgets.narrow import narrow
from tui.widgets.palette import Palette, Rgb

_TILE = 4
"""Cells of a letter that stands on a tile of its own, with the gap behind it."""
_LABEL_CELLS = 24


def draw_words(arrays: Arrays, width: int, height: int, palette: Palette) -> Cells:
    """The figure `words` in `width` times `height` cells; of too many lines the last.

    Raises:
        FigureError: the arrays make no such figure.
    """
    labels, texts = words(arrays, "labels"), words(arrays, "texts")
    same_length(labels=len(labels), texts=len(texts))
    cells = Cells(width, height, palette)
    if "wanted" in arrays:
        wanted = words(arrays, "wanted")
        _draw_spelled(cells, labels, texts, narrow(wanted[0]) if wanted else "")
    else:
        _draw_listed(cells, labels, texts)
    return cells


# -- against what is wanted ------------------------------------------------------------------------------------------


def _draw_spelled(cells: Cells, labels: list[str], texts: list[str], wanted: str) -> None:
    """One text per line, its right letters told from its wrong ones; above them what is wanted."""
    palette, texts = cells.palette, [narrow(text) for text in texts]
    longest = max(map(len, [wanted, *texts]))
    label_width = min(_LABEL_CELLS, max([len(narrow(label)) for label in labels] + [len("wanted")]))
    pitch = _TILE if label_width + 2 + longest * _TILE + 8 <= cells.width else 1
    left = max(0, (cells.width - label_width - 2 - longest * pitch - 8) // 2)
    at = left + label_width + 2
    has_heading = cells.height >= 3
    rows = cells.height - 2 * has_heading
    shown = list(zip(labels, texts, strict=True))[-rows:] if rows > 0 else []
    top = max(0, (cells.height - len(shown) - 2 * has_heading) // 2)
    if has_heading:
        cells.put(top, left, f"{'wanted':>{label_width}}", palette.muted)
        _put_letters(cells, top, at, pitch, wanted, [palette.mix(palette.foreground, 0.18)] * len(wanted))
        top += 2
    for row, (label, text) in enumerate(shown, top):
        cells.put(row, left, f"{narrow(label, label_width):>{label_width}}", palette.muted)
        right = [found == letter for found, letter in zip_longest(text, wanted)]
        colors = [palette.success if is_right else palette.error for is_right in right[: len(text)]]
        _put_letters(cells, row, at, pitch, text, [palette.mix(color, 0.4 if pitch > 1 else 1) for color in colors])
        is_all = bool(right) and all(right)
        verdict = "✓" if is_all else f"{sum(right)} of {len(right)}"
        color = palette.success if is_all else palette.muted
        cells.put(row, at + longest * pitch + 1, verdict, color, bold=is_all)


def _put_letters(cells: Cells, row: int, left: int, pitch: int, text: str, colors: list[Rgb]) -> None:
    """Letters on tiles, or side by side where there is no room for those."""
    for place, (letter, color) in enumerate(zip(text, colors, strict=True)):
        if pitch == 1:
            cells.put(row, left + place, letter, color)
        else:
            cells.put(row, left + place * pitch, f" {letter} ", cells.palette.foreground, color, bold=True)


# -- lists -----------------------------------------------------------------------------------------------------------


def _draw_listed(cells: Cells, labels: list[str], texts: list[str]) -> None:
    """A label, and its words wrapped beside it; a line between where there is room."""
    palette = cells.palette
    label_width = min(_LABEL_CELLS, max([len(narrow(label)) for label in labels] + [0]), max(1, cells.width // 3))
    at = label_width + 4
    blocks = [textwrap.wrap(narrow(text), max(8, cells.width - at - 1)) or [""] for text in texts]
    gap = 1 if sum(map(len, blocks)) + len(blocks) - 1 <= cells.height else 0
    room = max(1, (cells.height + gap) // max(1, len(blocks)) - gap) if blocks else 1
    blocks = [block[:room] for block in blocks] if sum(map(len, blocks)) > cells.height else blocks
    row = max(0, (cells.height - sum(map(len, blocks)) - gap * (len(blocks) - 1)) // 2)
    for index, (label, block) in enumerate(zip(labels, blocks, strict=True)):
        cells.put(row, 1, f"{narrow(label, label_width):>{label_width}}", palette.class_color(index), bold=True)
        for line in block:
            cells.put(row, at, line, palette.foreground)
            row += 1
        row += gap

"""Groups of small pictures, each under its heading: what a layer sees, or what a generator makes."""

from __future__ import annotations

import numpy as np

from tui.widgets.cells import Cells
from tui.widgets.figure_arrays import Arrays, words
from tui.widgets.gallery_layout import Block, Shape, lay_out
from tui.widgets.narrow import narrow
from tui.widgets.palette import Palette
from tui.widgets.small_pictures import SmallPictures, draw_scale, scale_width, small_pictures

_SCALE_CELLS = 8
_SPACE = 2


def draw_gallery(arrays: Arrays, width: int, height: int, palette: Palette) -> Cells:
    """The figure `gallery` in `width` times `height` cells.

    Raises:
        FigureError: the arrays make no such figure.
    """
    titles = words(arrays, "titles")
    # a group takes a line at least: more of them than lines can't be seen
    groups = [small_pictures(arrays, f"images_{place}", palette) for place in range(min(len(titles), height + 1))]
    cells = Cells(width, height, palette)
    if not groups:
        cells.put(height // 2, 1, narrow("no pictures", width - 1))
        return cells
    shapes = [Shape(len(group), *group.size, len(title)) for group, title in zip(groups, titles, strict=False)]
    blocks = lay_out(tuple(shapes), width, height)
    for block in blocks:
        _draw_group(cells, block, titles[block.group], groups[block.group])
    return cells


def _draw_group(cells: Cells, block: Block, title: str, pictures: SmallPictures) -> None:
    count = f"{block.shown} of {len(pictures):,}" if block.shown < len(pictures) else ""
    title = narrow(title, max(1, block.width - (len(count) + _SPACE if count else 0)))
    cells.put(block.line, block.column, title, cells.palette.foreground)
    at = block.column + len(title) + _SPACE
    cells.put(block.line, at, narrow(count, block.column + block.width - at), cells.palette.muted)
    at += len(count) + (_SPACE if count else 0)
    if pictures.low < 0 and at + scale_width(pictures, _SCALE_CELLS) <= block.column + block.width:
        draw_scale(cells, block.line, at, pictures, _SCALE_CELLS)
    canvas, drawn = _canvas(block, pictures)
    cells.put_pixels(block.line + 1, block.column, canvas, drawn)


def _canvas(block: Block, pictures: SmallPictures) -> tuple[np.ndarray, np.ndarray]:
    """The group's pixels (H, W, 3), and which of them there are: between pictures there are none."""
    grid = block.grid
    canvas = np.zeros((*grid.pixels, 3), np.uint8)
    drawn = np.zeros(grid.pixels, bool)
    for index in range(block.shown):
        top, left = index // grid.across * (grid.tall + 1), index % grid.across * (grid.wide + 1)
        place = slice(top, top + grid.tall), slice(left, left + grid.wide)
        canvas[place], drawn[place] = pictures.pixels(index, grid.tall, grid.wide), True
    return canvas, drawn

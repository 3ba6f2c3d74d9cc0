"""Small pictures in rows: the worst mistakes, and the weights of a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tui.widgets.cells import Cells
from tui.widgets.figure_arrays import Arrays, integers, name_of, numbers, same_length, words
from tui.widgets.narrow import narrow
from tui.widgets.palette import Palette
from tui.widgets.small_pictures import SmallPictures, draw_scale, scale_width, small_pictures

_WANTED = 6
"""So many pictures at once are worth shrinking them for."""
_CAPTION_CELLS = 12
_LARGEST = 4
"""Times a picture is enlarged at most."""


class _Caption(NamedTuple):
    """A line that gives up letters of its words before it gives up its end."""

    words: tuple[str, ...]
    end: str = ""

    @property
    def width(self) -> int:
        """Cells it takes uncut."""
        return len(" → ".join(self.words) + self.end)

    def cut(self, width: int) -> str:
        """At most `width` cells of it."""
        if self.width <= width:
            return " → ".join(self.words) + self.end
        room = max(1, (width - len(self.end) - (len(self.words) - 1)) // len(self.words))
        return narrow("→".join(narrow(word, room) for word in self.words) + self.end, width)


class _Layout(NamedTuple):
    columns: int
    rows: int
    picture_width: int
    picture_height: int
    """In pixels; two of them make a line."""
    tile_width: int
    tile_lines: int


def draw_mistakes(arrays: Arrays, width: int, height: int, palette: Palette) -> Cells:
    """The figure `mistakes` in `width` times `height` cells.

    Raises:
        FigureError: the arrays make no such figure.
    """
    pictures = small_pictures(arrays, "images", palette)
    truth, guess = integers(arrays, "truth", 1), integers(arrays, "guess", 1)
    confidence, names = numbers(arrays, "confidence", 1), words(arrays, "names")
    same_length(images=len(pictures), truth=len(truth), guess=len(guess), confidence=len(confidence))
    captions = [
        _Caption((name_of(names, right), name_of(names, wrong)), f" {_percent(sure)}")
        for right, wrong, sure in zip(truth.tolist(), guess.tolist(), confidence.tolist(), strict=True)
    ]
    cells = Cells(width, height, palette)
    if not len(pictures):
        cells.put(height // 2, 1, narrow("nothing is wrong: every picture of the sample was read right", width - 1))
        return cells
    _draw_tiles(cells, pictures, captions)
    return cells


def draw_weights(arrays: Arrays, width: int, height: int, palette: Palette) -> Cells:
    """The figure `weights` in `width` times `height` cells: negative dark, positive light.

    Raises:
        FigureError: the arrays make no such figure.
    """
    pictures, names = small_pictures(arrays, "images", palette), words(arrays, "names")
    same_length(images=len(pictures), names=len(names))
    cells = Cells(width, height, palette)
    if not len(pictures):
        cells.put(height // 2, 1, narrow("no weights to show", width - 1))
        return cells
    has_legend = height >= 8 and width >= 30
    drawn = Cells(width, height - 1, palette) if has_legend else cells
    _draw_tiles(drawn, pictures, [_Caption((name,)) for name in names])
    if not has_legend:
        return cells
    for name in ("chars", "inks", "papers"):
        getattr(cells, name)[: height - 1] = getattr(drawn, name)
    draw_scale(cells, height - 1, max(0, (width - scale_width(pictures)) // 2), pictures)
    return cells


def _draw_tiles(cells: Cells, pictures: SmallPictures, captions: Sequence[_Caption]) -> None:
    """As many pictures as have room, with their captions below."""
    widest = max(caption.width for caption in captions)
    layout = _layout(cells.width, cells.height, (len(pictures), *pictures.size), widest)
    if layout is None:
        return
    layout = layout._replace(tile_width=min(layout.tile_width + 3, (cells.width + 1) // layout.columns))
    left = max(0, (cells.width - layout.columns * layout.tile_width + 1) // 2)
    shown_rows = min(layout.rows, -(-len(pictures) // layout.columns))
    top = max(0, (cells.height - shown_rows * layout.tile_lines) // 2)
    for index in range(min(len(pictures), layout.columns * layout.rows)):
        row = top + index // layout.columns * layout.tile_lines
        column = left + index % layout.columns * layout.tile_width
        inset = (layout.tile_width - 1 - layout.picture_width) // 2
        cells.put_pixels(row, column + inset, pictures.pixels(index, layout.picture_height, layout.picture_width))
        text = captions[index].cut(layout.tile_width - 1)
        lines = -(-layout.picture_height // 2)
        if layout.tile_lines > lines:
            cells.put(row + lines, column, f"{text:^{layout.tile_width - 1}}", cells.palette.foreground)


def _layout(width: int, height: int, shape: tuple[int, ...], caption: int) -> _Layout | None:
    """The largest pictures of which enough still fit."""
    count, rows, columns = shape
    best = None
    sizes = [(rows * times, columns * times) for times in range(_LARGEST, 0, -1)]
    sizes += [(-(-rows // times), -(-columns // times)) for times in range(2, 65)]
    for tall, wide in sizes:
        lines = -(-tall // 2)
        caption_lines = 1 if height > lines else 0
        tile_width = max(wide, min(caption, max(_CAPTION_CELLS, wide))) + 1
        across, down = (width + 1) // tile_width, height // (lines + caption_lines)
        if across < 1 or down < 1:
            continue
        layout = _Layout(min(across, count), down, wide, tall, tile_width, lines + caption_lines)
        if across * down >= min(count, _WANTED):
            return layout
        if best is None or across * down > best.columns * best.rows:
            best = layout
        if tall <= 4:
            break
    return best


def _percent(share: float) -> str:
    return f"{min(1.0, max(0.0, share)):.0%}" if np.isfinite(share) else "?"

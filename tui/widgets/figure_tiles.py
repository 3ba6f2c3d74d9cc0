"""Small pictures in rows: the worst mistakes, and the weights of a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.figures import FigureError
from tui.widgets.cells import Cells
from tui.widgets.curves import Floats
from tui.widgets.figure_arrays import Arrays, integers, name_of, numbers, same_length, words
from tui.widgets.narrow import narrow
from tui.widgets.palette import Palette

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
    images = numbers(arrays, "images", 3)
    truth, guess = integers(arrays, "truth", 1), integers(arrays, "guess", 1)
    confidence, names = numbers(arrays, "confidence", 1), words(arrays, "names")
    same_length(images=len(images), truth=len(truth), guess=len(guess), confidence=len(confidence))
    captions = [
        _Caption((name_of(names, right), name_of(names, wrong)), f" {_percent(sure)}")
        for right, wrong, sure in zip(truth.tolist(), guess.tolist(), confidence.tolist(), strict=True)
    ]
    levels = np.clip(np.nan_to_num(images, nan=0, posinf=255, neginf=0), 0, 255) / 255
    cells = Cells(width, height, palette)
    if not len(images):
        cells.put(height // 2, 1, narrow("nothing is wrong: every picture of the sample was read right", width - 1))
        return cells
    _draw_tiles(cells, levels, captions, palette.ink_scale)
    return cells


def draw_weights(arrays: Arrays, width: int, height: int, palette: Palette) -> Cells:
    """The figure `weights` in `width` times `height` cells: negative dark, positive light.

    Raises:
        FigureError: the arrays make no such figure.
    """
    images, names = numbers(arrays, "images", 3), words(arrays, "names")
    same_length(images=len(images), names=len(names))
    finite = np.nan_to_num(images, nan=0, posinf=0, neginf=0)
    # a few outliers must not turn all others grey
    reach = float(np.quantile(np.abs(finite), 0.995)) if finite.size else 0.0
    cells = Cells(width, height, palette)
    if not len(images):
        cells.put(height // 2, 1, narrow("no weights to show", width - 1))
        return cells
    levels = np.clip(finite / (2 * reach) + 0.5, 0, 1) if 0 < reach < 1e300 else np.full(finite.shape, 0.5)
    has_legend = height >= 8 and width >= 30
    captions = [_Caption((name,)) for name in names]
    drawn = Cells(width, height - 1, palette) if has_legend else cells
    _draw_tiles(drawn, levels, captions, palette.signed_scale)
    if not has_legend:
        return cells
    for name in ("chars", "inks", "papers"):
        getattr(cells, name)[: height - 1] = getattr(drawn, name)
    _draw_scale(cells, reach)
    return cells


def _draw_scale(cells: Cells, reach: float) -> None:
    row, (low, high) = cells.height - 1, (f"−{reach:.2g} ", f" +{reach:.2g}")
    left = max(0, (cells.width - 24 - len(low) - len(high)) // 2)
    cells.put(row, left, low, cells.palette.muted)
    colors = cells.palette.signed_scale[np.linspace(0, 255, 24).astype(int)]
    cells.put_pixels(row, left + len(low), np.repeat(colors[None], 2, axis=0))
    cells.put(row, left + len(low) + 24, high, cells.palette.muted)


def _draw_tiles(cells: Cells, levels: Floats, captions: Sequence[_Caption], scale: NDArray[np.uint8]) -> None:
    """As many pictures (N, H, W) of values from 0 to 1 as have room, with their captions below."""
    if not levels[0].size:
        raise FigureError("the pictures have no pixels")
    layout = _layout(cells.width, cells.height, levels.shape, max(caption.width for caption in captions))
    if layout is None:
        return
    layout = layout._replace(tile_width=min(layout.tile_width + 3, (cells.width + 1) // layout.columns))
    left = max(0, (cells.width - layout.columns * layout.tile_width + 1) // 2)
    shown_rows = min(layout.rows, -(-len(levels) // layout.columns))
    top = max(0, (cells.height - shown_rows * layout.tile_lines) // 2)
    for index in range(min(len(levels), layout.columns * layout.rows)):
        row = top + index // layout.columns * layout.tile_lines
        column = left + index % layout.columns * layout.tile_width
        inset = (layout.tile_width - 1 - layout.picture_width) // 2
        picture = resize(levels[index], layout.picture_height, layout.picture_width)
        cells.put_pixels(row, column + inset, scale[(picture * 255).round().astype(int)])
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


def resize(picture: Floats, rows: int, columns: int) -> Floats:
    """`picture` (H, W) as (rows, columns): the mean of the pixels that each new one covers."""
    return _resize_rows(_resize_rows(picture, rows).T, columns).T


def _resize_rows(picture: Floats, rows: int) -> Floats:
    if rows >= len(picture):
        return np.asarray(picture[np.arange(rows) * len(picture) // rows])
    starts = np.arange(rows) * len(picture) // rows
    sums = np.add.reduceat(picture, starts, axis=0)
    return np.asarray(sums / np.diff(starts, append=len(picture))[:, None])


def _percent(share: float) -> str:
    return f"{min(1.0, max(0.0, share)):.0%}" if np.isfinite(share) else "?"

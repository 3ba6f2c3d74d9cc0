"""Small pictures of one size, in grey, in colour, or of signed numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.figures import FigureError
from tui.widgets.cells import Cells, Pixels
from tui.widgets.figure_arrays import Arrays, shades
from tui.widgets.palette import Palette
from tui.widgets.quantities import short_number
from tui.widgets.resizing import resize

_SCALE_CELLS = 24


@dataclass(frozen=True, eq=False)
class SmallPictures:
    """Pictures as they are stored, and how their numbers become colours."""

    stored: NDArray[Any]
    """(N, H, W), or in colour (N, H, W, 3)."""
    scale: NDArray[np.uint8]
    """(256, 3): colours of the numbers from `low` to `high`; pictures in colour have their own."""
    low: float = 0.0
    high: float = 255.0

    def __len__(self) -> int:
        return len(self.stored)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in stored pixels."""
        return self.stored.shape[1], self.stored.shape[2]

    def pixels(self, index: int, rows: int, columns: int) -> Pixels:
        """One of them, (rows, columns, 3)."""
        values = np.nan_to_num(self.stored[index].astype(np.float64), nan=0, posinf=self.high, neginf=self.low)
        if values.ndim == 3:
            values = np.moveaxis(values, 2, 0)
        shrunk = resize(np.clip(values, self.low, self.high), rows, columns)
        levels = ((shrunk - self.low) / (self.high - self.low) * 255).round().astype(np.uint8)
        return np.moveaxis(levels, 0, 2) if levels.ndim == 3 else self.scale[levels]


def small_pictures(arrays: Arrays, name: str, palette: Palette) -> SmallPictures:
    """The array `name` as pictures: bytes in grey or in colour; other numbers signed, negative dark, positive light.

    Raises:
        FigureError: it is missing, or holds no pictures.
    """
    stored = shades(arrays, name)
    if len(stored) and not stored[0].size:
        raise FigureError("the pictures have no pixels")
    if stored.dtype == np.uint8:
        return SmallPictures(stored, palette.ink_scale)
    if stored.ndim == 4:
        raise FigureError(f"'{name}' has colours that are no bytes")
    finite = np.abs(stored[np.isfinite(stored)])
    # a few outliers must not turn all others grey
    reach = float(np.quantile(finite.astype(np.float64), 0.995)) if finite.size else 0.0
    if not 0 < reach < 1e300:
        return SmallPictures(np.zeros(stored.shape), palette.signed_scale, -1.0, 1.0)
    return SmallPictures(stored, palette.signed_scale, -reach, reach)


def scale_width(pictures: SmallPictures, cells: int = _SCALE_CELLS) -> int:
    """Cells that `draw_scale` takes."""
    return cells + 2 + sum(map(len, _ends(pictures)))


def draw_scale(at: Cells, row: int, column: int, pictures: SmallPictures, cells: int = _SCALE_CELLS) -> None:
    """Draw which colours stand for which signed numbers, with `cells` of colours."""
    low, high = _ends(pictures)
    at.put(row, column, low, at.palette.muted)
    column += len(low) + 1
    colors = pictures.scale[np.linspace(0, 255, cells).astype(int)]
    at.put_pixels(row, column, np.repeat(colors[None], 2, axis=0))
    at.put(row, column + cells + 1, high, at.palette.muted)


def _ends(pictures: SmallPictures) -> tuple[str, str]:
    return f"−{short_number(-pictures.low, 2)}", f"+{short_number(pictures.high, 2)}"

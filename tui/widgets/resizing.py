"""Pictures at another size."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tui.widgets.curves import Floats


def resize(pictures: Floats, rows: int, columns: int) -> Floats:
    """`pictures` (..., H, W) as (..., rows, columns): each pixel is the mean of what it covers, by area."""
    down, across = _shares(pictures.shape[-2], rows), _shares(pictures.shape[-1], columns)
    return np.asarray(down @ pictures @ across.T)


@lru_cache(256)
def _shares(size: int, new: int) -> Floats:
    """(new, size): how much of each new pixel each old one is."""
    edges = np.arange(new + 1) * (size / new)
    starts = np.arange(size)
    overlaps = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    return np.asarray(np.clip(overlaps, 0, None) * (new / size))

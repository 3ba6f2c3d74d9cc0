"""Arrays of a stored figure, checked before anything is drawn from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.figures import FigureError
from engine.text import plain
from tui.widgets.curves import Floats

Arrays = Mapping[str, NDArray[Any]]
Ints = NDArray[np.int64]
WORDS_LIMIT = 10_000
"""More of them can't be seen, and each takes its time."""
CHARACTERS_LIMIT = 200_000
PICTURES_LIMIT = 10_000


def numbers(arrays: Arrays, name: str, dimensions: int) -> Floats:
    """The array `name` as float64.

    Raises:
        FigureError: it is missing, has another number of dimensions, or holds no real numbers.
    """
    array = _array(arrays, name, dimensions)
    if array.dtype.kind not in "biuf":
        raise FigureError(f"'{name}' holds no numbers but {plain(str(array.dtype))}")
    return array.astype(np.float64)


def integers(arrays: Arrays, name: str, dimensions: int) -> Ints:
    """The array `name` as int64.

    Raises:
        FigureError: it is missing, has another number of dimensions, or holds no integers.
    """
    array = _array(arrays, name, dimensions)
    if array.dtype.kind not in "biu":
        raise FigureError(f"'{name}' holds no integers but {plain(str(array.dtype))}")
    return array.astype(np.int64)


def shades(arrays: Arrays, name: str) -> NDArray[Any]:
    """The array `name` as it is: real numbers (N, H, W), or pictures in colour (N, H, W, 3).

    Raises:
        FigureError: it is missing, or no such array, or of too many pictures.
    """
    array = _array(arrays, name, 3, 4)
    if len(array) > PICTURES_LIMIT:
        raise FigureError(f"'{name}' holds {len(array):,} pictures: more than {PICTURES_LIMIT:,} are not drawn")
    if array.dtype.kind not in "biuf":
        raise FigureError(f"'{name}' holds no numbers but {plain(str(array.dtype))}")
    if array.ndim == 4 and array.shape[3] != 3:
        raise FigureError(f"'{name}' has {array.shape[3]} colours, not 3")
    return array


def words(arrays: Arrays, name: str) -> list[str]:
    """The array `name` as lines of plain text.

    Raises:
        FigureError: it is missing, not one-dimensional, or too much to be drawn.
    """
    array = _array(arrays, name, 1)
    if len(array) > WORDS_LIMIT:
        raise FigureError(f"'{name}' holds {len(array):,} words: more than {WORDS_LIMIT:,} are not drawn")
    found = [plain(str(word)) for word in array.tolist()]
    if sum(map(len, found)) > CHARACTERS_LIMIT:
        raise FigureError(f"'{name}' holds more than {CHARACTERS_LIMIT:,} characters")
    return found


def same_length(**lengths: int) -> int:
    """The one length that all arrays have.

    Raises:
        FigureError: they differ.
    """
    if len(set(lengths.values())) > 1:
        raise FigureError(f"lengths differ: {', '.join(f'{name} {length}' for name, length in lengths.items())}")
    return next(iter(lengths.values()))


def name_of(names: list[str], index: int) -> str:
    """The name of a class; its number where it has none."""
    return names[index] if 0 <= index < len(names) and names[index] else str(index)


def _array(arrays: Arrays, name: str, *dimensions: int) -> NDArray[Any]:
    if name not in arrays:
        raise FigureError(f"array '{name}' is missing")
    array = arrays[name]
    if array.ndim not in dimensions:
        raise FigureError(f"array '{name}' has {array.ndim} dimensions, not {' or '.join(map(str, dimensions))}")
    return array

"""Colours for terminals that have 256 of them, or 16: chosen here, because rounding each channel greys all tints."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rich._palettes import EIGHT_BIT_PALETTE, STANDARD_PALETTE

from tui.color_depth import Depth

Rgb = tuple[int, int, int]

_HUE_APART = {"256": np.radians(20), "standard": np.radians(25)}
"""A colour may stand for another whose hue is no further away."""
_GREY = 0.02
"""Chroma below which a colour is a grey."""

_CLASS_PAPERS = {
    ("256", True): "24 94 23 88 54 22 89 95 239 58",
    ("256", False): "111 223 159 217 189 157 219 187 250 229",
    ("standard", True): "4 3 6 1 5 2 13 11 8 10",
    ("standard", False): "12 11 14 9 13 10 5 3 7 2",
}
_CLASS_INKS = {True: "12 11 14 9 13 10 5 3 7 2", False: "4 3 6 1 5 2 13 0 8 12"}
"""Of 16 colours; of 256 the classes' own come near enough."""
_SIGNED = {"256": "17 18 24 60 243 101 137 179 222", "standard": "4 12 7 11 15"}
"""From dark to light, blue below the grey in the middle and amber above."""

_Lab = NDArray[np.float64]


def class_papers(depth: Depth, is_dark: bool) -> tuple[Rgb, ...]:
    """Ten colours to write on, no two alike; none where a tint of the class's own colour will do."""
    return _numbered(_CLASS_PAPERS.get((depth, is_dark), ""), depth)


def class_inks(depth: Depth, is_dark: bool) -> tuple[Rgb, ...]:
    """Ten colours to write with; none where the classes' own will do."""
    return _numbered(_CLASS_INKS[is_dark], depth) if depth == "standard" else ()


def signed_colors(depth: Depth) -> tuple[Rgb, ...]:
    """Colours from negative to positive, an odd number of them; none where all shades can be shown."""
    return _numbered(_SIGNED.get(depth, ""), depth)


@lru_cache(4096)
def nearest(color: Rgb, depth: Depth) -> Rgb:
    """The colour of a terminal that comes nearest: of the same hue, as light, and then as strong."""
    if depth == "truecolor":
        return color
    shelf, lab = _shelf(depth)
    chroma, hue = np.hypot(lab[:, 1], lab[:, 2]), np.arctan2(lab[:, 2], lab[:, 1])
    light, *ab = _oklab(np.array(color, dtype=np.float64)).tolist()
    strength = float(np.hypot(*ab))
    if strength < _GREY:
        fit = np.flatnonzero(chroma < _GREY)
    else:
        apart = np.abs(np.angle(np.exp(1j * (hue - np.arctan2(ab[1], ab[0])))))
        apart[chroma < _GREY] = np.inf
        fit = np.flatnonzero(apart <= max(_HUE_APART[depth], apart.min()))
    best = fit[np.argmin((lab[fit, 0] - light) ** 2 + (chroma[fit] - strength) ** 2 / 4)]
    return shelf[int(best)]


@lru_cache(2)
def _shelf(depth: Depth) -> tuple[tuple[Rgb, ...], _Lab]:
    """All colours there are, but for those of 256 that each terminal has its own idea of; (N, 3) in OKLab."""
    numbers = range(16) if depth == "standard" else range(16, 256)
    colors = _numbered(" ".join(map(str, numbers)), depth)
    return colors, _oklab(np.array(colors, dtype=np.float64))


def _numbered(numbers: str, depth: Depth) -> tuple[Rgb, ...]:
    """Colours whose red, green and blue Rich turns into these very numbers."""
    palette = STANDARD_PALETTE if depth == "standard" else EIGHT_BIT_PALETTE
    found = []
    for number in map(int, numbers.split()):
        # Rich counts greys in steps of its own
        grey = round((number - 231) / 25 * 255)
        red, green, blue = (grey, grey, grey) if number > 231 else palette[number]
        found.append((red, green, blue))
    return tuple(found)


def _oklab(colors: NDArray[np.float64]) -> _Lab:
    """(…, 3) from red, green and blue to lightness and two opponent colours, as https://bottosson.github.io/posts/oklab/."""
    share = colors / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T)


_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)

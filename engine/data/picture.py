"""One picture's file, read as a square of bytes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.Image import Transpose

DRAFT_SCALE = 2
"""A JPEG is decoded at no more than so many times the size it is wanted in, where its format offers that: a photograph
takes a fifth of the time, and what the filter then averages over is still finer than the result."""
UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
"""What undoes each orientation that EXIF knows, but the ordinary one."""


@contextmanager
def strict_pillow() -> Iterator[None]:
    """While in it, a picture that unpacks to more than Pillow holds sane is an error, in every thread; other remarks of
    Pillow's are not made."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def read_picture(file: BinaryIO, size: int, color: bool) -> np.ndarray:
    """(C, size, size) uint8 of a picture: upright, its shorter side scaled to `size`, its middle cut out.

    Transparent pixels lie on white. Of an animation, the first picture counts.

    Raises:
        Exception: what a decoder raises over a damaged file is of any type.
    """
    try:
        opened = Image.open(file)
    except UnidentifiedImageError:
        raise OSError("not a picture") from None
    with opened as image:
        image.draft(None, (DRAFT_SCALE * size, DRAFT_SCALE * size))
        pixels = _opaque(image).convert("RGB" if color else "L")
        orientation = _orientation(image)
    width, height = pixels.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    square = pixels.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
    if orientation in UPRIGHT:
        square = square.transpose(UPRIGHT[orientation])
    array = np.asarray(square)
    return array.transpose(2, 0, 1) if color else array[None]


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # Pillow would cut off what exceeds a byte
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise OSError(f"pixels of mode {image.mode}, not bytes")
    if not image.has_transparency_data:
        return image
    layered = image.convert("RGBA")
    white = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(white, layered)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged notes say nothing against the pixels
        return 1

"""Pictures a run draws: what each kind holds, and how one is stored. No torch here.

A figure is a small set of arrays in `figures/<name>.npz`; how it looks is the viewer's business.

regions   classes (H, W) int16: predicted class of each grid point, row 0 at the top; extent (4,): x0 x1 y0 y1;
          points (N, 2); labels (N,) int16; names (C,) str
curve     x (N,), y (N,): data; line_x (M,), line_y (M,): the model; optional truth_y (M,): without noise;
          optional boundary (1,): x where a decision flips
matrix    counts (C, C) int64: rows are true classes, columns predicted ones; names (C,) str
mistakes  images (N, H, W) or, in colour, (N, H, W, 3) uint8, worst first; truth (N,) int16; guess (N,)
          int16; confidence (N,) float32; names (C,) str
weights   images (N, H, W) float32: signed, scaled by the viewer; names (N,) str
gallery   titles (K,) str: headings of groups of pictures; for each group k an array images_k: uint8 (N, H, W) or, in
          colour, (N, H, W, 3), or float32 (N, H, W): signed, scaled by the viewer
words     labels (N,) str, texts (N,) str: lines that belong to labels; optional wanted (1,): what each should be
compare   names (N,) str; learned (N,) float64; truth (N,) float64
metrics   keys (K,) str: metrics of the run, to be plotted over its steps
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engine.own_file import read_own
from engine.text import plain

Kind = Literal["regions", "curve", "matrix", "mistakes", "weights", "gallery", "words", "compare", "metrics"]
FIGURE_LIMIT_BYTES = 16 << 20
ARRAYS_LIMIT = 1000


@dataclass(frozen=True)
class Figure:
    """A picture, ready to be stored."""

    name: str
    """File name without ending; the same name replaces the picture before."""
    kind: Kind
    title: str
    arrays: dict[str, np.ndarray[Any, Any]]


class FigureError(Exception):
    """A stored figure that can't be shown; the message is one line."""


def save_figure(folder: Path, figure: Figure, epoch: int | None = None) -> str:
    """Write a figure into `folder`, whole or not at all; returns its file's name.

    It takes the place of the one before, or stands beside those of other epochs.

    Raises:
        OSError: it could not be written.
        ValueError: an array holds Python objects.
    """
    for name, array in figure.arrays.items():
        if array.dtype.hasobject:  # older NumPy would pickle them
            raise ValueError(f"object array '{name}' in figure '{figure.name}'")
    file_name = f"{figure.name}.npz" if epoch is None else f"{figure.name}-epoch-{epoch:06}.npz"
    folder.mkdir(exist_ok=True)  # somebody may have removed it while the run went on
    fd, draft = tempfile.mkstemp(prefix=f".{figure.name}-", suffix=".npz", dir=folder)
    try:
        with os.fdopen(fd, "wb") as file:
            np.savez_compressed(file, **figure.arrays)  # type: ignore[arg-type] # mypy takes one for allow_pickle
        os.chmod(draft, 0o644)
        os.replace(draft, folder / file_name)
    except BaseException:
        os.unlink(draft)
        raise
    return file_name


def load_figure(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Arrays of a stored figure, without unpickling anything.

    Raises:
        FigureError: the file is missing, damaged, holds more than arrays of data, or is too large to be a figure.
    """
    try:
        with read_own(path) as file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len(members) > ARRAYS_LIMIT:
                raise FigureError(f"{plain(path.name)} holds more than {ARRAYS_LIMIT:,} arrays")
            if sum(member.file_size for member in members) > FIGURE_LIMIT_BYTES:
                raise _too_large(path)
            arrays = {member.filename.removesuffix(".npy"): _read_array(archive, member) for member in members}
    except FigureError:
        raise
    except Exception as error:  # over damaged bytes zipfile, zlib and NumPy's header parser raise what they like
        reason = plain(getattr(error, "strerror", None) or str(error))[:200]
        raise FigureError(f"{plain(path.name)} can't be read: {reason or type(error).__name__}") from None
    # an array of empty texts takes no bytes, however many they are
    if sum(array.size for array in arrays.values()) > FIGURE_LIMIT_BYTES:
        raise _too_large(path)
    return arrays


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray[Any, Any]:
    with archive.open(member) as file:
        array: np.ndarray[Any, Any] = np.lib.format.read_array(file, allow_pickle=False)
        return array


def _too_large(path: Path) -> FigureError:
    return FigureError(f"{plain(path.name)} unpacks to more than {FIGURE_LIMIT_BYTES >> 20} MiB")

"""Data sets, one family per file. `load_data` builds what a configuration describes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.complete import check_complete
from engine.data.bundle import DataBundle, DataError, Split
from engine.data.bundled import load_breast_cancer, load_digits
from engine.data.cifar10 import load_cifar10
from engine.data.csv_table import load_csv
from engine.data.custom import load_custom
from engine.data.hello import load_hello
from engine.data.image_folder import load_image_folder
from engine.data.imdb import load_imdb
from engine.data.mnist import load_fashion_mnist, load_mnist
from engine.data.points import load_hours, load_spiral, load_xor
from engine.data.synthetic import load_cubic, load_high_dimensional, load_linear, load_points, load_polynomial
from engine.data.tsv import load_tsv
from engine.places import found_here
from engine.schema.data import Data

__all__ = ["DataBundle", "DataError", "Split", "load_data"]

_LOADERS: dict[str, Callable[[Any, int, Path], DataBundle]] = {
    "points": load_points,
    "linear-synthetic": load_linear,
    "polynomial": load_polynomial,
    "high-dimensional": load_high_dimensional,
    "cubic": load_cubic,
    "hours": load_hours,
    "xor": load_xor,
    "spiral": load_spiral,
    "digits": load_digits,
    "breast-cancer": load_breast_cancer,
    "csv": load_csv,
    "mnist": load_mnist,
    "fashion-mnist": load_fashion_mnist,
    "cifar10": load_cifar10,
    "image-folder": load_image_folder,
    "imdb": load_imdb,
    "tsv": load_tsv,
    "hello": load_hello,
    "custom": load_custom,
}
check_complete("data", _LOADERS, "_LOADERS in engine/data/__init__.py")


def load_data(data: Data, seed: int, data_dir: Path) -> DataBundle:
    """The data set that `data` describes, on the CPU; files are looked for in `data_dir`, and downloaded if absent.

    What is drawn follows from `seed` alone, so that every device sees the same samples.

    Raises:
        DataError: a file is missing and can't be had, is damaged, or holds what it should not.
        CustomCodeError: the user's own function can't be called, or raised something.
    """
    try:
        return _LOADERS[data.kind](data, seed, data_dir)
    except DataError as error:
        for key in ("path", "val_path"):
            if here := found_here(f"data.{key}", getattr(data, key, ""), data_dir):
                raise DataError(f"{error}; {here}") from None
        raise

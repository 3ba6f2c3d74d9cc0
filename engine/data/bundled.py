"""Real data that comes with scikit-learn."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from engine.data.augmentation import Augmentation
from engine.data.bundle import DataBundle, DataError, Split
from engine.data.draws import floats
from engine.data.splits import hold_out, standardised
from engine.schema import data as schema
from engine.schema.image_data import Digits

HELD_OUT = 0.2


def load_digits(data: Digits, seed: int, data_dir: Path) -> DataBundle:
    """8x8 digits, pixels from 0 to 1."""
    table = _table("digits.csv.gz")
    images, classes = floats(table[:, :-1] / 16).reshape(-1, 1, 8, 8), torch.from_numpy(table[:, -1].astype(np.int64))
    train, val = hold_out(len(table), HELD_OUT, table[:, -1])
    return DataBundle(
        train=Split(images[train], classes[train]),
        val=Split(images[val], classes[val]),
        input_shape=(1, 8, 8),
        outputs=10,
        class_names=tuple("0123456789"),
        augmentation=Augmentation(data.flip, data.rotate),
    )


def load_breast_cancer(data: schema.BreastCancer, seed: int, data_dir: Path) -> DataBundle:
    """30 measurements of each tumour; class 1 is benign."""
    table = _table("breast_cancer.csv", header_lines=1)
    train, val = hold_out(len(table), HELD_OUT, table[:, -1])
    columns = standardised(table[:, :-1], train) if data.standardise else table[:, :-1]
    inputs, targets = floats(columns), floats(table[:, -1:])
    return DataBundle(
        train=Split(inputs[train], targets[train]),
        val=Split(inputs[val], targets[val]),
        input_shape=(columns.shape[1],),
        outputs=1,
        class_names=("malignant", "benign"),
    )


def _table(name: str, header_lines: int = 0) -> np.ndarray:
    """Rows of a table in scikit-learn's folder, read without importing scikit-learn: that alone would take a second."""
    spec = find_spec("sklearn")
    for folder in (spec.submodule_search_locations if spec else None) or []:
        path = Path(folder) / "datasets" / "data" / name
        try:
            return np.loadtxt(path, delimiter=",", skiprows=header_lines, ndmin=2)
        except (OSError, ValueError) as error:
            raise DataError(f"{path} can't be read ({error}): install scikit-learn again") from None
    raise DataError(f"{name} comes with scikit-learn, which is not installed: pip install scikit-learn")

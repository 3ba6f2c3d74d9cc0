"""Tiny data files in the original formats, so that tests need neither a network nor real data."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np


def idx_bytes(array: np.ndarray) -> bytes:
    """A uint8 array in the IDX format."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write_mnist(data_dir: Path, name: str = "MNIST", train: int = 70, val: int = 20) -> Path:
    """The four packed files of a small stand-in for MNIST or FashionMNIST; returns their folder."""
    folder = data_dir / name / "raw"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for split, rows in (("train", train), ("t10k", val)):
        labels = np.arange(rows) % 10
        images = (rng.integers(0, 256, (rows, 28, 28)) + 20 * labels[:, None, None]) % 256
        (folder / f"{split}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(images), 1))
        (folder / f"{split}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(labels), 1))
    return folder


def write_table(path: Path, rows: int = 40, features: int = 8) -> Path:
    """A .csv.gz without header: features, and a target that is 0 or 1."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (rows, features))
    lines = [",".join(f"{value:.4f}" for value in row) + f",{int(row[0] > 0)}" for row in x]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))
    return path

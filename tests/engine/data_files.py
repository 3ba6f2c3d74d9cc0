"""Tiny data files in the original formats, so that tests need neither a network nor real data."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

CIFAR10_FOLDER = "cifar-10-batches-py"


def packed(content: bytes) -> bytes:
    """`content` as .gz, the same bytes at whatever second: workers must agree on what tests are called."""
    return gzip.compress(content, 1, mtime=0)


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
        (folder / f"{split}-images-idx3-ubyte.gz").write_bytes(packed(idx_bytes(images)))
        (folder / f"{split}-labels-idx1-ubyte.gz").write_bytes(packed(idx_bytes(labels)))
    return folder


def write_table(path: Path, rows: int = 40, features: int = 8) -> Path:
    """A .csv.gz without header: features, and a target that is 0 or 1."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (rows, features))
    lines = [",".join(f"{value:.4f}" for value in row) + f",{int(row[0] > 0)}" for row in x]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed("\n".join(lines).encode() + b"\n"))
    return path


def write_pictures(folder: Path, classes: Mapping[str, int], side: int = 64, mode: str = "RGB") -> Path:
    """A folder below `folder` for each class, with so many .png of its own colour; a class may be "train/cats"."""
    rng = np.random.default_rng(0)
    for place, (name, count) in enumerate(classes.items()):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 80, (side, side, 4))
            pixels[..., place % 3] += 150
            Image.fromarray(pixels.astype(np.uint8)).convert(mode).save(folder / name / f"{number:03}.png")
    return folder


def write_emoji(data_dir: Path, count: int = 8) -> Path:
    """A small stand-in for the emoji: one class folder of 64x64 pictures, partly transparent; returns its parent."""
    return write_pictures(data_dir / "noto_emoji64", {"emoji": count}, mode="RGBA")


def write_cifar10(data_dir: Path, train: int = 70, val: int = 20) -> Path:
    """A small stand-in for CIFAR-10 as its archive unpacks; returns the folder. `train` is divided by 5."""
    folder = data_dir / CIFAR10_FOLDER
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, rows in [*((f"data_batch_{number}", train // 5) for number in range(1, 6)), ("test_batch", val)]:
        labels = np.arange(rows) % 10
        rows_of_pixels = (rng.integers(0, 60, (rows, 3072)) + 20 * labels[:, None]).astype(np.uint8)
        (folder / name).write_bytes(cifar10_batch(rows_of_pixels, labels.tolist()))
    return folder


def cifar10_batch(data: np.ndarray, labels: list[int]) -> bytes:
    """A batch file as Python 2 pickled it: a dict of byte strings to a uint8 array (N, 3072) and a list of numbers."""
    dtype = b"cnumpy\ndtype\n" + _py2_string(b"u1") + b"K\0K\1\x87R(K\3" + _py2_string(b"|") + b"NNN"
    dtype += b"J\xff\xff\xff\xff" * 2 + b"K\0tb"
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85" + _py2_string(b"b") + b"\x87R"
    shape = b"(" + b"".join(map(_py2_int, data.shape)) + b"t"
    array = empty + b"(K\1" + shape + dtype + b"\x89" + _py2_string(data.tobytes()) + b"tb"
    numbers = b"](" + b"".join(map(_py2_int, labels)) + b"e"
    return b"\x80\2}(" + _py2_string(b"data") + array + _py2_string(b"labels") + numbers + b"u."


def _py2_string(value: bytes) -> bytes:
    return b"T" + struct.pack("<i", len(value)) + value


def _py2_int(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


GOOD, BAD = ("wonderful", "great", "loved", "perfect"), ("awful", "boring", "worst", "waste")
PLAIN = ("the", "film", "was", "story", "and", "actors", "it", "of", "an", "hour")


def review(is_good: bool, number: int) -> str:
    """A short review, always the same for the same number."""
    rng = np.random.default_rng([number, is_good])
    words = [*rng.choice(PLAIN, 6), *rng.choice(GOOD if is_good else BAD, 3)]
    return " ".join(rng.permutation(words)).capitalize() + ".<br /><br />It was."


def write_reviews(data_dir: Path, train: int = 40, test: int = 20) -> Path:
    """A small stand-in for the reviews of IMDB as two files of labels and texts; returns their folder."""
    folder = data_dir / "imdb"
    folder.mkdir(parents=True)
    for split, rows, first in (("train", train, 0), ("test", test, train)):
        lines = [f"{number % 2}\t{review(number % 2 == 1, number)}\n" for number in range(first, first + rows)]
        (folder / f"{split}.tsv.gz").write_bytes(packed("".join(lines).encode()))
    return folder


def write_review_folders(data_dir: Path, train: int = 40, test: int = 20) -> Path:
    """The same as a folder of files, as their authors publish them; returns it."""
    folder = data_dir / "aclImdb"
    for split, rows, first in (("train", train, 0), ("test", test, train)):
        for number in range(first, first + rows):
            place = folder / split / ("pos" if number % 2 else "neg")
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}_{7 if number % 2 else 3}.txt").write_text(review(number % 2 == 1, number))
    (folder / "train" / "unsup").mkdir()
    (folder / "train" / "unsup" / "0_0.txt").write_text("nobody has read this")
    return folder

"""MNIST and Fashion-MNIST, read from their four original files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch

from engine.data.augmentation import Augmentation
from engine.data.bundle import DataBundle, DataError, Split
from engine.data.download import Download, fetch
from engine.data.idx import read_idx
from engine.schema import image_data as schema
from engine.text import plain

CLASSES = 10
SIDE = 28
SPLITS = ("train", "t10k")


class Family(NamedTuple):
    """What tells the members of the family apart."""

    torchvision_name: str
    """Of the data set, and of its folder."""
    mean: float
    std: float
    class_names: tuple[str, ...]


MNIST = Family("MNIST", 0.1307, 0.3081, tuple("0123456789"))
FASHION = Family(
    "FashionMNIST",
    0.2860,
    0.3530,
    ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"),
)


def load_mnist(data: schema.Mnist, seed: int, data_dir: Path) -> DataBundle:
    """Handwritten digits."""
    return _load(MNIST, data, data_dir)


def load_fashion_mnist(data: schema.FashionMnist, seed: int, data_dir: Path) -> DataBundle:
    """Pictures of clothes."""
    return _load(FASHION, data, data_dir)


def _load(family: Family, data: schema.Mnist | schema.FashionMnist, data_dir: Path) -> DataBundle:
    folder = data_dir / family.torchvision_name / "raw"
    _fetch_missing(family, folder)
    return DataBundle(
        train=_read_split(folder, "train"),
        val=_read_split(folder, "t10k"),
        input_shape=(1, SIDE, SIDE),
        outputs=CLASSES,
        class_names=family.class_names,
        mean=(family.mean if data.normalise else 0.0,),
        std=(family.std if data.normalise else 1.0,),
        augmentation=Augmentation(data.flip, data.rotate),
    )


def _fetch_missing(family: Family, folder: Path) -> None:
    """Download what is there neither packed nor unpacked."""
    missing = [name for split in SPLITS for name in _names(split) if not _path(folder, name).is_file()]
    if not missing:
        return
    from torchvision import datasets  # only now: importing it takes seconds

    source = getattr(datasets, family.torchvision_name)
    checksums = dict(source.resources)
    for place, name in enumerate(missing):
        packed = f"{name}.gz"
        urls = [f"{mirror.rstrip('/')}/{packed}" for mirror in source.mirrors]
        try:
            fetch(Download(urls, folder / packed, checksums[packed]))
        except DataError as error:
            others = ", ".join(f"{name}.gz" for name in missing[place + 1 :])
            raise DataError(f"{error}{f'; so with {others}' if others else ''}") from None


def _names(split: str) -> tuple[str, str]:
    """Names of a split's images and labels, unpacked."""
    return f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte"


def _path(folder: Path, name: str) -> Path:
    """The file, unpacked if it is there so, else packed."""
    unpacked = folder / name
    return unpacked if unpacked.is_file() else folder / f"{name}.gz"


def _read_split(folder: Path, split: str) -> Split:
    images_path, labels_path = (_path(folder, name) for name in _names(split))
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE) or not len(images):
        raise _unfit(images_path, f"shape {images.shape}, not (N, {SIDE}, {SIDE})")
    if labels.shape != images.shape[:1]:
        raise _unfit(labels_path, f"shape {labels.shape}, but there are {len(images):,} images")
    if labels.max() >= CLASSES:
        raise _unfit(labels_path, f"class {labels.max()}, not 0 to {CLASSES - 1}")
    return Split(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels).long())


def _unfit(path: Path, reason: str) -> DataError:
    return DataError(f"{plain(str(path))} holds something else ({reason}): delete it, and it is downloaded again")

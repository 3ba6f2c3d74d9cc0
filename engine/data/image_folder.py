"""A user's own pictures: one folder for each class."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path

import numpy as np
import psutil
import torch

from engine.data.augmentation import Augmentation
from engine.data.bundle import DataBundle, DataError, Split
from engine.data.draws import generator
from engine.folder_shape import Layout, LayoutError, Source, find_layout, find_pictures, held_out_pictures, open_source
from engine.places import expanded
from engine.schema.image_data import ImageFolder
from engine.text import plain

READ_AT_ONCE = 256
"""Pictures on their way through the threads: few enough to hold, many enough that no thread waits long."""
MAX_THREADS = 16
TOLD_EVERY_S = 5.0
NAMED = 3
"""How many of the pictures that were passed over are named."""
LEVELS = 256
COUNTED_AT_ONCE = 64
"""Pictures; counting takes 8 bytes for each of theirs."""

log = logging.getLogger(__name__)

Sample = tuple[str, int]
"""A picture's path and its class."""


def load_image_folder(data: ImageFolder, seed: int, data_dir: Path) -> DataBundle:
    """Pictures of a folder or of a .zip, which is read where it lies; (N, C, size, size) uint8.

    Held out are those in a folder val (or valid, validation, test), else `val_share` of each class: the same ones
    whatever the seed, so that all runs are measured on the same pictures.
    Pictures that can't be read are passed over, and a line in the log says so.

    Raises:
        DataError: it is missing, damaged, encrypted or laid out otherwise, or a class has no picture that can be read.
    """
    path = data_dir / expanded(data.path)
    try:
        path = find_pictures(path)
        with open_source(path) as source:
            return _load(data, source, path)
    except LayoutError as error:
        raise DataError(f"{plain(str(path))} {plain(str(error))}") from None
    except OSError as error:
        place = error.filename or path
        raise DataError(f"{plain(str(place))} can't be read: {plain(error.strerror or str(error))}") from None


def _load(data: ImageFolder, source: Source, path: Path) -> DataBundle:
    layout = find_layout(source.names())
    if layout.outside:
        log.warning("%s: pictures that lie in no class folder are passed over: %s", plain(path.name), layout.outside)
    train_samples, val_samples = _samples(layout, data.val_share)
    _check_memory(len(train_samples) + len(val_samples), data)
    reader = _Reader(source, data.size, data.color, len(train_samples) + len(val_samples))
    train = reader.read(train_samples)
    val = reader.read(val_samples) if val_samples else None
    reader.report(path)
    _check_classes(layout, train, "" if layout.val is None else "train/", reader.reason)
    if layout.val is not None and val is not None:
        _check_classes(layout, val, f"{layout.val_name}/", reader.reason)
    mean, std = _mean_and_std(train.inputs.numpy()) if data.normalise else ((0.0,), (1.0,))
    return DataBundle(
        train=train,
        val=val if val else None,
        input_shape=tuple(train.inputs.shape[1:]),
        outputs=len(layout.class_names),
        class_names=tuple(map(plain, layout.class_names)),
        mean=mean,
        std=std,
        augmentation=Augmentation(data.flip, data.rotate),
    )


def _samples(layout: Layout, val_share: float) -> tuple[list[Sample], list[Sample]]:
    """Pictures to train on and pictures held out, class by class."""
    if layout.val is not None:
        return _labelled(layout.train), _labelled(layout.val)
    rng = generator(0, "held-out pictures")
    train, val = list[list[str]](), list[list[str]]()
    for paths in layout.train:
        chosen = set(rng.permutation(len(paths))[: held_out_pictures(len(paths), val_share)].tolist())
        train.append([path for place, path in enumerate(paths) if place not in chosen])
        val.append([path for place, path in enumerate(paths) if place in chosen])
    return _labelled(train), _labelled(val)


def _labelled(classes: Sequence[list[str]]) -> list[Sample]:
    return [(path, label) for label, paths in enumerate(classes) for path in paths]


def _check_memory(pictures: int, data: ImageFolder) -> None:
    wanted = pictures * data.size**2 * (3 if data.color else 1)
    free = psutil.virtual_memory().available
    if wanted > free:
        raise DataError(
            f"{pictures:,} pictures of {data.size} px take {wanted / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB of memory "
            "are free: make data.size smaller, or take fewer pictures"
        )


@dataclass
class _Reader:
    """Reads pictures in several threads, since decoders release the interpreter lock."""

    source: Source
    size: int
    color: bool
    total: int
    unreadable: list[str] = field(default_factory=list)
    reason: str = ""
    """Why the first of them can't be read."""
    done: int = 0
    told_at_s: float = field(default_factory=time.monotonic)

    def read(self, samples: list[Sample]) -> Split:
        """Those of the pictures that can be read, in their order."""
        pictures = np.empty((len(samples), 3 if self.color else 1, self.size, self.size), np.uint8)
        labels = list[int]()
        for label, picture in self._decoded(samples):
            pictures[len(labels)] = picture
            labels.append(label)
        return Split(torch.from_numpy(pictures[: len(labels)]), torch.tensor(labels, dtype=torch.int64))

    def _decoded(self, samples: list[Sample]) -> Iterator[tuple[int, np.ndarray]]:
        from engine.data.picture import read_picture, strict_pillow  # only now: other runs do without Pillow

        def attempt(sample: Sample) -> np.ndarray | str:
            """The picture, or why there is none."""
            try:
                with self.source.open(sample[0]) as file:
                    return read_picture(file, self.size, self.color)
            except Exception as error:  # a decoder may raise anything over a damaged file
                return plain(str(error)) or type(error).__name__

        with strict_pillow(), ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as threads:
            for first in range(0, len(samples), READ_AT_ONCE):
                some = samples[first : first + READ_AT_ONCE]
                for (path, label), found in zip(some, threads.map(attempt, some), strict=True):
                    if isinstance(found, str):
                        self.reason = self.reason or found
                        self.unreadable.append(path)
                    else:
                        yield label, found
                self._tell(len(some))

    def _tell(self, more: int) -> None:
        self.done += more
        now_s = time.monotonic()
        if now_s - self.told_at_s >= TOLD_EVERY_S and self.done < self.total:
            self.told_at_s = now_s
            log.info("read %s of %s pictures", f"{self.done:,}", f"{self.total:,}")

    def report(self, path: Path) -> None:
        """Say how many pictures were passed over, if any."""
        if not self.unreadable:
            return
        names = ", ".join(map(plain, self.unreadable[:NAMED]))
        more = len(self.unreadable) - NAMED
        log.warning(
            "%s: %s of %s pictures can't be read and are passed over: %s%s (%s)",
            plain(path.name),
            f"{len(self.unreadable):,}",
            f"{self.total:,}",
            names,
            f", {more:,} more" if more > 0 else "",
            self.reason,
        )


def _check_classes(layout: Layout, split: Split, where: str, reason: str) -> None:
    counts = split.targets.bincount(minlength=len(layout.class_names)).tolist()
    for name, count in zip(layout.class_names, counts, strict=True):
        if not count:
            raise LayoutError(
                f"has class folder {where}{name}, of which no picture can be read ({reason}): mend it, or remove it"
            )


def _mean_and_std(pictures: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of each channel of (N, C, H, W) bytes, as fractions of 255. A channel that never changes keeps its scale."""
    levels, means, deviations = np.arange(LEVELS) / (LEVELS - 1), list[float](), list[float]()
    for channel in range(pictures.shape[1]):
        counts = np.zeros(LEVELS, np.int64)  # whole numbers: the sum is the same in any order
        for first in range(0, len(pictures), COUNTED_AT_ONCE):
            counts += np.bincount(pictures[first : first + COUNTED_AT_ONCE, channel].ravel(), minlength=LEVELS)
        shares = counts / counts.sum()
        mean = float(shares @ levels)
        means.append(mean)
        deviations.append(sqrt(float(shares @ (levels - mean) ** 2)) if np.count_nonzero(counts) > 1 else 1.0)
    return tuple(means), tuple(deviations)

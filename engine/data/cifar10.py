"""CIFAR-10 as torchvision knows it: six batches of pickled pictures."""

from __future__ import annotations

import fcntl
import logging
import os
import pickle
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.data.augmentation import Augmentation
from engine.data.bundle import DataBundle, DataError, Split
from engine.data.download import Download, fetch
from engine.data.whole_file import read_whole
from engine.schema.image_data import Cifar10
from engine.text import plain

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
FOLDER, ARCHIVE = "cifar-10-batches-py", "cifar-10-python.tar.gz"
TRAIN, TEST = tuple(f"data_batch_{number}" for number in range(1, 6)), ("test_batch",)
COPIES = 3
"""Bytes of a batch, its pixels, and those of all batches."""
MEMBERS = (*TRAIN, *TEST, "batches.meta")
"""What torchvision wants to find unpacked, too."""

log = logging.getLogger(__name__)


def load_cifar10(data: Cifar10, seed: int, data_dir: Path) -> DataBundle:
    """Photographs of animals and vehicles, (N, 3, 32, 32) uint8, from the archive's folder or the archive.

    An archive is unpacked beside itself, or read where it lies if nothing can be written there.

    Raises:
        DataError: it can't be had, is damaged, or holds something else.
    """
    folder = data_dir / FOLDER
    batches: dict[str, bytes] = {}
    if not folder.is_dir():
        if not (data_dir / ARCHIVE).is_file():
            _download(data_dir / ARCHIVE)
        batches = _unpacked(data_dir / ARCHIVE, folder)
    return DataBundle(
        train=_split(folder, TRAIN, batches),
        val=_split(folder, TEST, batches),
        input_shape=SHAPE,
        outputs=len(CLASS_NAMES),
        class_names=CLASS_NAMES,
        mean=MEAN if data.normalise else (0.0,),
        std=STD if data.normalise else (1.0,),
        augmentation=Augmentation(data.flip, data.rotate),
    )


def _download(archive: Path) -> None:
    from torchvision.datasets import CIFAR10  # only now: importing it takes seconds

    fetch(Download([CIFAR10.url], archive, CIFAR10.tgz_md5))


def _unpacked(archive: Path, folder: Path) -> dict[str, bytes]:
    """Make `folder` of the archive, whole or not at all; the batches themselves where it can't be made."""
    draft = folder.with_name(f"{FOLDER}.part")
    try:
        with archive.open("rb") as held:
            with suppress(OSError):  # on a disk without locks, who comes second finds the folder in its way
                fcntl.flock(held, fcntl.LOCK_EX)
            if folder.is_dir():
                return {}
            shutil.rmtree(draft, ignore_errors=True)  # of one that was killed
            batches = dict(_members(archive))
            try:
                _write(batches, draft)
                draft.rename(folder)
            except OSError as error:
                shutil.rmtree(draft, ignore_errors=True)
                log.info("%s stays packed (%s): each start will take longer", archive.name, error.strerror)
            return batches
    except OSError as error:
        raise DataError(f"{plain(str(archive))} can't be read: {error.strerror}") from None


def _write(batches: dict[str, bytes], draft: Path) -> None:
    draft.mkdir()
    for name, content in batches.items():
        with (draft / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the batches in the archive; whatever else is in it stays there."""
    wanted = {f"{FOLDER}/{name}": name for name in MEMBERS}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                if member.isreg() and member.name in wanted and (file := tar.extractfile(member)):
                    yield wanted.pop(member.name), file.read()
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise _damaged(archive, str(error)) from None
    if wanted:
        raise _damaged(archive, f"without {', '.join(wanted)}")


def _split(folder: Path, names: tuple[str, ...], batches: dict[str, bytes]) -> Split:
    parts = [_read_batch(folder / name, batches.get(name)) for name in names]
    pictures = np.concatenate([pixels for pixels, _ in parts]).reshape(-1, *SHAPE)
    return Split(torch.from_numpy(pictures), torch.from_numpy(np.concatenate([labels for _, labels in parts])))


def _read_batch(path: Path, content: bytes | None) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3072) uint8 pixels and (N,) int64 classes."""
    try:
        batch = _Unpickler(BytesIO(read_whole(path, COPIES) if content is None else content), encoding="latin1").load()
    except OSError as error:
        raise DataError(f"{plain(str(path))} can't be read: {error.strerror}: {_mend(path)}") from None
    except DataError:
        raise
    except _Forbidden as error:
        raise DataError(f"{plain(str(path))} holds more than data ({plain(str(error))}): {_mend(path)}") from None
    except Exception as error:  # over damaged bytes, unpickling may raise anything
        raise _damaged(path, str(error) or type(error).__name__) from None
    if not isinstance(batch, dict) or not {"data", "labels"} <= batch.keys():
        raise _unfit(path, "no data and labels")
    pixels = batch["data"]
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (PIXELS,):
        raise _unfit(path, f"{_kind(pixels)}, not (N, {PIXELS}) bytes")
    if not len(pixels):
        raise _unfit(path, "no pictures")
    return pixels, _checked_labels(batch["labels"], len(pixels), path)


def _checked_labels(labels: Any, rows: int, path: Path) -> np.ndarray:
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise _unfit(path, "labels that are no list of numbers")
    if len(labels) != rows:
        raise _unfit(path, f"{len(labels):,} labels, but {rows:,} pictures")
    for label in labels:
        if not 0 <= label < len(CLASS_NAMES):
            raise _unfit(path, f"class {label}, not 0 to {len(CLASS_NAMES) - 1}")
    return np.array(labels, np.int64)


def _kind(value: Any) -> str:
    return f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


class _Forbidden(Exception):
    """Something in a pickle that no array needs."""


class _Unpickler(pickle.Unpickler):
    """Reads arrays and plain data; a pickle from outside may ask for any function to be called, and gets none."""

    def find_class(self, module: str, name: str) -> Any:
        """What an array is made of, by any of the names NumPy has pickled it under."""
        match module.removeprefix("numpy.").removeprefix("_"), name:
            case "core.multiarray", "_reconstruct":
                return _reconstruct
            case "numpy", "ndarray":
                return np.ndarray
            case "numpy", "dtype":
                return np.dtype
        raise _Forbidden(f"{module}.{name}")


def _reconstruct(subtype: Any, shape: Any, dtype: Any) -> np.ndarray:
    """An array to be filled: the only call that is granted."""
    return np.ndarray.__new__(np.ndarray, (0,), np.uint8)


def _unfit(path: Path, reason: str) -> DataError:
    return DataError(f"{plain(str(path))} holds something else ({reason}): {_mend(path)}")


def _damaged(path: Path, reason: str) -> DataError:
    return DataError(f"{plain(str(path))} is damaged ({plain(reason)}): {_mend(path)}")


def _mend(path: Path) -> str:
    """What to delete, so that the next run finds whole files."""
    if path.name == ARCHIVE:
        return "delete it, and it is downloaded again"
    return f"delete the folder {FOLDER}, and it is unpacked or downloaded again"

"""What lies in a folder of pictures, or in a .zip of one, told by names alone. No torch here: the form calls this."""

from __future__ import annotations

import io
import os
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from engine.csv_shape import held_out_rows

COUNTED_NAMES = 300_000
"""A larger folder is not counted while somebody types."""
COUNTED_S = 0.5
"""Nor one that takes longer."""
FILE_LIMIT_BYTES = 256 << 20
"""A larger member of an archive is no picture but a trap."""
SUFFIXES = frozenset(("jpg", "jpeg", "png", "bmp", "gif", "webp", "tif", "tiff", "ppm", "pgm", "pbm"))
VAL_NAMES = ("val", "valid", "validation", "test")
SPLIT_NAMES = frozenset(("train", *VAL_NAMES))
TOO_LARGE = "holds too much to be counted in passing"
DEPTH_LIMIT = 32
"""What lies deeper is not looked at."""
ENCRYPTED = 0x1
"""Bit of a member's flags in a .zip."""


class LayoutError(ValueError):
    """Pictures that are not laid out as they should be; the message is for who reads it, and names the mend."""


@dataclass
class Folder:
    """A folder, on disk or in a .zip, without what is hidden and without other types of files."""

    folders: dict[str, Folder] = field(default_factory=dict)
    pictures: list[str] = field(default_factory=list)
    """Paths of those that lie right here, below the outermost folder."""

    def is_empty(self) -> bool:
        """Whether there is no picture here and below."""
        return not self.pictures and all(below.is_empty() for below in self.folders.values())

    def all_pictures(self) -> list[str]:
        """Paths of all pictures here and below, in the same order everywhere."""
        return sorted([*self.pictures, *(path for below in self.folders.values() for path in below.all_pictures())])


@dataclass(frozen=True)
class Layout:
    """Which pictures belong to which class, and to which split."""

    class_names: tuple[str, ...]
    train: tuple[list[str], ...]
    """Paths of the pictures of each class."""
    val: tuple[list[str], ...] | None
    """The same of the held-out split; None where there is no folder of it."""
    val_name: str = ""
    """Of that folder."""
    outside: int = 0
    """Pictures that lie in no class folder."""

    def rows(self, val_share: float) -> tuple[int, int | None]:
        """Pictures to train on and pictures held out, None if there are none of the latter."""
        total = sum(map(len, self.train))
        if self.val is not None:
            return total, sum(map(len, self.val))
        held_out = sum(held_out_pictures(len(paths), val_share) for paths in self.train)
        return total - held_out, held_out or None


def held_out_pictures(count: int, share: float) -> int:
    """How many of a class's pictures are held out at `share`; at least one stays to train on."""
    return held_out_rows(count, share) if share and count > 1 else 0


def find_layout(outermost: Folder) -> Layout:
    """Classes and splits: folders train and val (or test), or class folders alone, perhaps inside one more folder.

    Raises:
        LayoutError: that is not how it is laid out.
    """
    folder = _without_wrapping(outermost)
    named = {name.lower(): below for name, below in folder.folders.items()}
    train = named.get("train")
    if train is None or not train.folders:  # a folder of pictures is a class, whatever its name
        return _one_split(folder, len(folder.pictures))
    outside = len(folder.pictures) + sum(
        len(below.pictures if name in SPLIT_NAMES else below.all_pictures()) for name, below in named.items()
    )
    val_name = next((name for name in VAL_NAMES if name in named and named[name].folders), "")
    if not val_name:
        return _one_split(train, outside)
    val = named[val_name]
    _check_same_classes(train, val, val_name)
    names = _class_names(train, "train/")
    _class_names(val, f"{val_name}/")
    return Layout(names, _of_classes(train, names), _of_classes(val, names), val_name, outside)


def _without_wrapping(folder: Folder) -> Folder:
    """The folder itself, or the one it is but a wrapping of."""
    while len(folder.folders) == 1 and not folder.pictures:
        (only,) = folder.folders.values()
        if only.pictures or not only.folders:
            break
        folder = only
    return folder


def _one_split(folder: Folder, outside: int) -> Layout:
    names = _class_names(folder, "")
    return Layout(names, _of_classes(folder, names), None, outside=outside)


def _class_names(folder: Folder, where: str) -> tuple[str, ...]:
    names = tuple(sorted(folder.folders))
    if not names:
        there = "pictures, but no class folders" if folder.pictures else "no pictures"
        raise LayoutError(f"holds {there}: put the pictures of each class into a folder of its own")
    for name in names:
        if folder.folders[name].is_empty():
            raise LayoutError(f"has a class folder without pictures, {where}{name}: put some there, or remove it")
    return names


def _check_same_classes(train: Folder, val: Folder, val_name: str) -> None:
    for name in sorted(train.folders.keys() ^ val.folders.keys()):
        here, there = ("train", val_name) if name in train.folders else (val_name, "train")
        raise LayoutError(f"has class {name} in {here} and not in {there}: both need the same class folders")


def _of_classes(folder: Folder, names: tuple[str, ...]) -> tuple[list[str], ...]:
    return tuple(folder.folders[name].all_pictures() for name in names)


# --- where pictures lie ---------------------------------------------------------------------------------------------


class Source(Protocol):
    """Where pictures lie."""

    def names(self) -> Folder:
        """All that lies there."""

    def open(self, path: str) -> BinaryIO:
        """A picture's file, by its path as `names` gives it; from any thread."""


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """The folder `path`, or the .zip `path`.

    Raises:
        LayoutError: it is no whole .zip, or an encrypted one.
        OSError: it can't be read.
    """
    if path.is_dir():
        yield _Directory(path)
        return
    if path.suffix.lower() != ".zip" or not path.is_file():
        raise LayoutError("is neither a folder nor a .zip: unpack it, and name the folder")
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise LayoutError(f"is damaged or cut short ({error}): put a whole .zip in its place") from None
    with archive:
        yield _Archive(archive)


class _Directory:
    def __init__(self, path: Path, limit: int | None = None) -> None:
        self._path, self._left = path, limit
        self._until_s = time.monotonic() + COUNTED_S
        self.is_too_large = False

    def names(self) -> Folder:
        return self._scan(self._path, "", frozenset())

    def _scan(self, path: Path, below: str, above: frozenset[tuple[int, int]]) -> Folder:
        """What lies in `path`; a link to a folder `above` it is not followed."""
        found, own = Folder(), path.stat()
        above |= {(own.st_dev, own.st_ino)}
        with os.scandir(path) as entries:
            for entry in entries:
                self._count()
                if _is_hidden(entry.name):
                    continue
                if entry.is_dir():
                    status = entry.stat()
                    if (status.st_dev, status.st_ino) not in above and len(above) < DEPTH_LIMIT:
                        found.folders[entry.name] = self._scan(path / entry.name, f"{below}{entry.name}/", above)
                elif _is_picture(entry.name) and entry.is_file():
                    found.pictures.append(below + entry.name)
        return found

    def _count(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0 or time.monotonic() > self._until_s:
                self.is_too_large = True
                raise LayoutError(TOO_LARGE)

    def open(self, path: str) -> BinaryIO:
        return (self._path / path).open("rb")


class _Archive:
    """Members are read where they lie: nothing is unpacked to disk."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive, self._lock = archive, threading.Lock()

    def names(self) -> Folder:
        found = Folder()
        for member in dict.fromkeys(self._archive.namelist()):
            parts = PurePosixPath(member).parts
            if len(parts) > DEPTH_LIMIT or any(map(_is_hidden, parts)):
                continue
            folder = found
            for part in parts if member.endswith("/") else parts[:-1]:
                folder = folder.folders.setdefault(part, Folder())
            if _is_picture(member):
                self._check_readable(member)
                folder.pictures.append(member)
        return found

    def _check_readable(self, member: str) -> None:
        if self._archive.getinfo(member).flag_bits & ENCRYPTED:
            raise LayoutError(f"is encrypted ({member}): unpack it, and name the folder")

    def open(self, path: str) -> BinaryIO:
        if self._archive.getinfo(path).file_size > FILE_LIMIT_BYTES:
            raise OSError(f"larger than {FILE_LIMIT_BYTES >> 20} MiB")
        with self._lock:  # a ZipFile counts its open members, and threads would miscount
            return io.BytesIO(self._archive.read(path))


def _is_picture(name: str) -> bool:
    return name.rpartition(".")[2].lower() in SUFFIXES


def _is_hidden(name: str) -> bool:
    """Whether a name is hidden, or that of the folder which macOS adds to archives."""
    return name.startswith(".") or name == "__MACOSX"


# --- finding and counting -------------------------------------------------------------------------------------------


def find_pictures(named: Path) -> Path:
    """The folder or .zip of that name; a .zip may do without its ending.

    Raises:
        LayoutError: there is none.
        OSError: it can't be looked at.
    """
    packed = named.with_name(f"{named.name}.zip") if named.name else named
    for path in (named, packed):
        if path.exists():
            return path
    raise LayoutError("is not there: set data.path to a folder of pictures, or to a .zip of one")


def folder_shape(path: Path, val_share: float) -> tuple[int, int, int | None]:
    """Classes, pictures to train on, and pictures held out (None for none) of the folder or .zip, by names alone.

    Raises:
        OSError: it can't be read.
        ValueError: it is too large to be counted in passing, or is no folder of pictures.
    """
    path = find_pictures(path)
    if path.is_dir():
        layout = _layout_of_folder(path)
    else:
        status = path.stat()
        layout = _layout_of_zip(path, status.st_mtime_ns, status.st_size)
    return len(layout.class_names), *layout.rows(val_share)


_too_large: dict[Path, float] = {}
"""Folders that could not be counted in passing, and until when that need not be tried again."""


def _layout_of_folder(path: Path) -> Layout:
    if time.monotonic() < _too_large.get(path, 0.0):
        raise LayoutError(TOO_LARGE)
    source = _Directory(path, COUNTED_NAMES)
    try:
        return find_layout(source.names())
    finally:
        if source.is_too_large:
            _too_large[path] = time.monotonic() + 100 * COUNTED_S


@lru_cache(maxsize=8)
def _layout_of_zip(path: Path, mtime_ns: int, size: int) -> Layout:
    with open_source(path) as source:
        return find_layout(source.names())

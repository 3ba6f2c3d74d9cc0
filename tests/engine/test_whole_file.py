"""Files of data that have no end, or unpack to more than there is room for."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from engine.data import DataError, load_data, whole_file
from engine.data.idx import read_idx
from engine.data.whole_file import read_whole
from engine.schema.data import Csv
from engine.schema.image_data import Cifar10, Mnist
from engine.schema.text_data import Imdb, Tsv
from tests.engine.data_files import write_cifar10, write_mnist, write_review_folders, write_table


class Place(NamedTuple):
    """Data that is as it should be, and one of its files."""

    data: Csv | Tsv | Mnist | Cifar10 | Imdb
    file: Path


def csv(folder: Path) -> Place:
    return Place(Csv(path="t.csv.gz"), write_table(folder / "t.csv.gz"))


def tsv(folder: Path) -> Place:
    (folder / "t.tsv").write_text("".join(f"{number % 2}\tword {number}\n" for number in range(20)))
    return Place(Tsv(path="t.tsv"), folder / "t.tsv")


def mnist(folder: Path) -> Place:
    return Place(Mnist(), write_mnist(folder) / "train-images-idx3-ubyte.gz")


def cifar10(folder: Path) -> Place:
    return Place(Cifar10(), write_cifar10(folder) / "test_batch")


def imdb(folder: Path) -> Place:
    return Place(Imdb(), write_review_folders(folder) / "test" / "neg" / "40_3.txt")


MAKERS = (csv, tsv, mnist, cifar10, imdb)


@pytest.mark.parametrize("make", [csv, tsv, cifar10, imdb])
def test_a_pipe_is_refused_by_name(tmp_path: Path, make: Callable[[Path], Place]) -> None:
    """Nobody writes into it: to read it is to wait for ever."""
    data, file = make(tmp_path)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(DataError, match=rf"{file.name} can't be read.*not a file"):
        load_data(data, 0, tmp_path)


@pytest.mark.parametrize("trap", ["pipe", "device"])
def test_what_is_no_file_is_not_read(tmp_path: Path, trap: str) -> None:
    path = tmp_path / "trap"
    if trap == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(OSError, match="not a file"):
        read_whole(path, 1)
    with pytest.raises(DataError, match="trap can't be read: not a file"):
        read_idx(path)


@pytest.mark.parametrize("make", MAKERS)
def test_what_does_not_fit_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Place]
) -> None:
    data = make(tmp_path).data
    monkeypatch.setattr(whole_file, "PIECE_BYTES", 8)
    monkeypatch.setattr(whole_file.psutil, "virtual_memory", lambda: type("", (), {"available": 20}))
    with pytest.raises(DataError, match=r"takes more than 0\.0 GB of memory, and 0\.0 GB are free: take a"):
        load_data(data, 0, tmp_path)


def test_a_bomb_is_read_no_further_than_there_is_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(100_000), mtime=0))
    monkeypatch.setattr(whole_file, "PIECE_BYTES", 1000)
    monkeypatch.setattr(whole_file.psutil, "virtual_memory", lambda: type("", (), {"available": 100_000}))
    assert len(read_whole(path, 1)) == 100_000
    read = list[int]()
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size: read.append(size) or bytes(size))
    with pytest.raises(DataError, match=r"bomb\.gz takes more than"):
        read_whole(path, 4)
    assert sum(read) == 26_000


def test_memory_that_is_short_is_told_of_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a limit is set for the process alone."""
    path = tmp_path / "large.gz"
    path.write_bytes(gzip.compress(b"x"))

    def fail(self: gzip.GzipFile, size: int) -> bytes:
        raise MemoryError

    monkeypatch.setattr(gzip.GzipFile, "read", fail)
    with pytest.raises(DataError, match=r"large\.gz takes more memory than this process is given"):
        read_whole(path, 1)

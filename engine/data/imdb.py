"""Film reviews, positive and negative (Maas et al., "Learning Word Vectors for Sentiment Analysis", 2011)."""

from __future__ import annotations

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from engine.data.bundle import DataBundle, DataError
from engine.data.download import Download, fetch
from engine.data.texts import Texts, tell_skipped, text_bundle
from engine.data.tsv import COPIES, Line, as_texts, read_lines, shown
from engine.data.whole_file import read_whole
from engine.places import expanded
from engine.schema import text_data as schema
from engine.text import plain

NAMES = ("negative", "positive")
LABELS = {"0": "negative", "neg": "negative", "1": "positive", "pos": "positive"}
SPLITS = ("train", "test")
ARCHIVE = "aclImdb_v1.tar.gz"
URL = f"https://ai.stanford.edu/~amaas/data/sentiment/{ARCHIVE}"
MD5 = "7c2ac02c03563afcf9b574c7e56c153a"

_MEMBER = re.compile(r"(?:\./)?aclImdb/(train|test)/(neg|pos)/([^/]+\.txt)")

Review = tuple[str, str, str, bytes]
"""Split, neg or pos, name of its file, and what is in that."""


def load_imdb(data: schema.Imdb, seed: int, data_dir: Path) -> DataBundle:
    """The reviews below `data.path`; without one those in the data folder, downloaded if there are none.

    Raises:
        DataError: they are missing and can't be had, or are damaged; the message names the file.
    """
    place = data_dir / expanded(data.path) if data.path else _find(data_dir)
    if not place.exists():
        raise DataError(f"{shown(place)} is not there: name a folder of reviews with data.path, or leave it empty")
    if place.is_file():
        mend = f"put a whole {ARCHIVE} in its place" if data.path else "delete it, and it is downloaded again"
        train, test = _texts(place, _from_archive(place, mend))
    elif (place / "train").is_dir():
        train, test = _texts(place, _from_folder(place))
    else:
        train, test = (_from_tsv(place, split) for split in SPLITS)
    return text_bundle(data, train, test, NAMES)


def _find(data_dir: Path) -> Path:
    """Where reviews lie in the data folder; the authors' archive is brought there if they lie nowhere."""
    archive = data_dir / ARCHIVE
    for place in (data_dir / "aclImdb", data_dir / "imdb", archive):
        if place.exists():
            return place
    fetch(Download([URL], archive, MD5))
    return archive


def _from_tsv(folder: Path, split: str) -> Texts:
    packed, unpacked = folder / f"{split}.tsv.gz", folder / f"{split}.tsv"
    path = unpacked if unpacked.is_file() else packed
    if not path.is_file():
        raise DataError(
            f"{shown(folder)} holds neither the folders train and test nor {split}.tsv: set data.path to a folder that "
            "does, or leave it empty and have the reviews downloaded"
        )
    lines = read_lines(path, "data.path")
    named = [Line(line.number, LABELS.get(line.label.lower(), line.label.lower()), line.text) for line in lines]
    return as_texts(named, path, NAMES)


def _texts(place: Path, reviews: Iterator[Review]) -> tuple[Texts, Texts]:
    """All reviews by split, in an order that does not depend on the disk. One that is not UTF-8 is left out."""
    found: dict[str, list[tuple[str, str, str]]] = {split: [] for split in SPLITS}
    unreadable = 0
    for split, label, name, content in reviews:
        try:
            found[split].append((label, name, content.decode("utf-8")))
        except UnicodeDecodeError:
            unreadable += 1
    tell_skipped(shown(place), unreadable, "review", "not UTF-8 text")
    for split, texts in found.items():
        if not texts:
            raise DataError(f"{shown(place)} has no reviews in {split}/pos and {split}/neg: put them there")
        texts.sort()
    train, test = (
        Texts(
            f"{shown(place)}, {split}",
            [NAMES.index(LABELS[label]) for label, _, _ in found[split]],
            [text for _, _, text in found[split]],
        )
        for split in SPLITS
    )
    return train, test


def _from_folder(folder: Path) -> Iterator[Review]:
    for split in SPLITS:
        for label in ("neg", "pos"):
            reviews = folder / split / label
            try:
                for path in reviews.iterdir():
                    if path.suffix == ".txt":
                        yield split, label, path.name, read_whole(path, COPIES)
            except OSError as error:
                where = plain(str(error.filename or reviews))
                raise DataError(
                    f"{where} can't be read ({error.strerror}): set data.path to the whole folder"
                ) from None


def _from_archive(path: Path, mend: str) -> Iterator[Review]:
    """The reviews in the authors' archive, read from its start to its end and never unpacked to disk."""
    try:
        # gzip's own reader, since tarfile's takes a stream that is cut short for one that has ended
        with gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                found = _MEMBER.fullmatch(member.name)
                if found and member.isfile() and (file := archive.extractfile(member)):
                    yield found[1], found[2], found[3], file.read()
            while stream.read(1 << 20):  # to its end, where gzip compares its checksum
                pass
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{shown(path)} can't be read to its end ({plain(reason)}): {mend}") from None

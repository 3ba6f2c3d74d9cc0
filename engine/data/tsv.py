"""A user's own texts: lines of a label, a tab, and a text."""

from __future__ import annotations

import logging
import zlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.data.bundle import DataBundle, DataError
from engine.data.splits import hold_out
from engine.data.texts import Texts, tell_skipped, text_bundle
from engine.data.whole_file import read_whole
from engine.places import expanded
from engine.schema import text_data as schema
from engine.text import plain

WITHOUT_TAB = 0.01
"""Share of lines that may lack their tab: more is another kind of file."""
CLASSES_AT_MOST = 1000
FEWEST_BELOW_HEADER = 10
"""Lines; among fewer, a label that stands alone says nothing."""
COPIES = 4
"""Bytes, text, lines, and the texts of the lines."""

log = logging.getLogger(__name__)


class Line(NamedTuple):
    """A line that is as it should be."""

    number: int
    label: str
    text: str


def load_tsv(data: schema.Tsv, seed: int, data_dir: Path) -> DataBundle:
    """Texts of one file, a share of them held out, or of two files. Classes are the labels, sorted.

    Raises:
        DataError: a file is missing, damaged, in another encoding or of another form.
    """
    path = data_dir / expanded(data.path)
    lines = _without_header(read_lines(path, "data.path"), path)
    names = tuple(sorted({line.label for line in lines}))
    if len(names) > CLASSES_AT_MOST:
        raise DataError(
            f"{shown(path)} has {len(names):,} different labels, where {CLASSES_AT_MOST:,} are the most there may be: "
            "put the label before the tab, and the text after it"
        )
    if data.val_path:
        val_path = data_dir / expanded(data.val_path)
        val = as_texts(read_lines(val_path, "data.val_path"), val_path, names)
        return text_bundle(data, as_texts(lines, path, names), val, names)
    if len(lines) < 2:
        raise DataError(f"{shown(path)} has one text: two at least are needed, one of them to be held out")
    places = {name: place for place, name in enumerate(names)}
    classes = np.array([places[line.label] for line in lines])
    train, held_out = (
        as_texts([lines[row] for row in rows], path, names) for rows in hold_out(len(lines), data.val_share, classes)
    )
    return text_bundle(data, train, held_out, names)


def _without_header(lines: list[Line], path: Path) -> list[Line]:
    """The lines, but for a first one that names the columns: its label alone stands on no other line."""
    counts = Counter(line.label for line in lines)
    first = lines[0].label
    if counts.pop(first) > 1 or len(lines) <= FEWEST_BELOW_HEADER or min(counts.values()) == 1:
        return lines
    log.warning("%s: the first line is taken for a header: no other has its label '%s'", shown(path), first[:40])
    return lines[1:]


def read_lines(path: Path, setting: str) -> list[Line]:
    """The lines of a .tsv or .tsv.gz file. A few without a tab are left out and told of, empty ones in silence.

    Args:
        path: The file.
        setting: What names it in the configuration.

    Raises:
        DataError: it is missing, damaged, too large, not UTF-8, or too many lines have no tab; the message names file
            and line.
    """
    lines, faulty, total = [], [], 0
    for number, row in enumerate(_text(path, setting).split("\n"), 1):
        if not row.strip():
            continue
        total += 1
        label, tab, text = row.partition("\t")
        if tab and (label := plain(label).strip()):
            lines.append(Line(number, label, text))
        else:
            faulty.append(number)
    if len(faulty) > WITHOUT_TAB * total:
        raise DataError(
            f"{shown(path)}, line {faulty[0]}: no label and tab before the text (so in {len(faulty):,} of {total:,} "
            "lines); write each as label, tab, text"
        )
    if not lines:
        raise DataError(f"{shown(path)} is empty: it needs lines of a label, a tab, and a text")
    tell_skipped(shown(path), len(faulty), "line", "no label and tab before the text")
    return lines


def as_texts(lines: list[Line], path: Path, names: tuple[str, ...]) -> Texts:
    """The lines, their labels as places in `names`.

    Raises:
        DataError: a label is none of them.
    """
    places = {name: place for place, name in enumerate(names)}
    for line in lines:
        if line.label not in places:
            known = ", ".join(names[:6]) + (" …" if len(names) > 6 else "")
            raise DataError(
                f"{shown(path)}, line {line.number}: label '{line.label[:40]}' is none of those trained on ({known})"
            )
    return Texts(shown(path), [places[line.label] for line in lines], [line.text for line in lines])


def shown(path: Path) -> str:
    """A path that is safe to show."""
    return plain(str(path))


def _text(path: Path, setting: str) -> str:
    try:
        data = read_whole(path, COPIES)
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{shown(path)} is not there: set {setting} to a .tsv or .tsv.gz file") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{shown(path)}, line {line}: not UTF-8 text: save the file as UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{shown(path)} can't be read ({plain(reason)}): put a whole file in its place") from None

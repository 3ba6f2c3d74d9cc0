"""From text to words, and from words to numbers: the same way for training and for asking."""

from __future__ import annotations

import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

PADDING, UNKNOWN = 0, 1
SPECIAL = ("<pad>", "<unknown>")
"""What stands in a vocabulary for the ids 0 and 1; neither can be a word."""

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_BREAK = re.compile(r"<br\s*/?>")

Ids = NDArray[np.int64]


def words_of(text: str) -> list[str]:
    """The words of `text`, in lower case: runs of letters and digits, joined by apostrophes that stand between them.

    Everything else parts words; line breaks as HTML writes them are no words.
    """
    return _WORD.findall(_BREAK.sub(" ", text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")))


def learn_vocabulary(texts: Iterable[str], size: int, length: int) -> tuple[tuple[str, ...], Ids]:
    """The most frequent words of `texts`, and the texts as `encode` would give them by these.

    Words that are equally frequent stand in the order of their letters, so that the same texts, in whatever order,
    give the same vocabulary.

    Args:
        texts: What is trained on; nothing else may be looked at.
        size: Entries at most, padding and the unknown word among them.
        length: Words kept of each text.

    Returns:
        The words by their ids, and (N, length) ids.
    """
    # a number for each word as it comes, so that one pass does for counting and for encoding
    arrival: defaultdict[str, int] = defaultdict(lambda: len(arrival))
    flat, ends = array("q"), [0]
    for text in texts:
        flat.extend(map(arrival.__getitem__, words_of(text)))
        ends.append(len(flat))
    arrived, ids = list(arrival), np.frombuffer(flat, np.int64) if flat else np.zeros(0, np.int64)
    counts = np.bincount(ids, minlength=len(arrived)).tolist()
    order = sorted(range(len(arrived)), key=lambda id: (-counts[id], arrived[id]))[: size - len(SPECIAL)]
    final = np.full(len(arrived), UNKNOWN, np.int64)
    final[order] = np.arange(len(SPECIAL), len(SPECIAL) + len(order))
    rows = [final[ids[start : min(end, start + length)]] for start, end in pairwise(ends)]
    return (*SPECIAL, *(arrived[id] for id in order)), _padded(rows, length)


def encode(texts: Iterable[str], vocabulary: Sequence[str], length: int) -> Ids:
    """(N, length) ids of the words of `texts`: cut at the end, or padded there."""
    known = {word: id for id, word in enumerate(vocabulary) if id >= len(SPECIAL)}
    rows = [[known.get(word, UNKNOWN) for word in words_of(text)[:length]] for text in texts]
    return _padded([np.array(row, np.int64) for row in rows], length)


def _padded(rows: list[Ids], length: int) -> Ids:
    ids = np.full((len(rows), length), PADDING, np.int64)
    for row, kept in zip(ids, rows, strict=True):
        row[: len(kept)] = kept
    return ids

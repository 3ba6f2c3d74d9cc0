"""Labelled texts, whichever file they came from, made into token ids."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
import torch

from engine.data.bundle import DataBundle, DataError, Split
from engine.data.vocabulary import PADDING, Ids, encode, learn_vocabulary
from engine.schema.text_data import Words

log = logging.getLogger(__name__)


class Texts(NamedTuple):
    """Texts of one split."""

    source: str
    """The file or folder they came from, safe to show."""
    labels: list[int]
    """The class of each."""
    texts: list[str]


def text_bundle(data: Words, train: Texts, val: Texts, class_names: tuple[str, ...]) -> DataBundle:
    """Texts as token ids; the vocabulary is learned from those to train on. Texts without a word are left out.

    Raises:
        DataError: no text is left, or those to train on are all of one class.
    """
    vocabulary, train_ids = learn_vocabulary(train.texts, data.vocabulary, data.length)
    train_split = _split(train, train_ids)
    seen = torch.unique(train_split.targets).tolist()
    if len(seen) < 2:
        raise DataError(
            f"{train.source} has texts of one class only, '{class_names[seen[0]]}': two at least are needed"
        )
    return DataBundle(
        train=train_split,
        val=_shuffled(_split(val, encode(val.texts, vocabulary, data.length))),
        input_shape=(data.length,),
        outputs=len(class_names),
        class_names=class_names,
        vocabulary=vocabulary,
    )


def tell_skipped(source: str, count: int, what: str, why: str) -> None:
    """One line on what was left out, and why; silent if nothing was."""
    if count:
        log.warning("%s: skipped %s %s: %s", source, f"{count:,}", what if count == 1 else f"{what}s", why)


def _split(texts: Texts, ids: Ids) -> Split:
    has_words = ids[:, 0] != PADDING
    tell_skipped(texts.source, int((~has_words).sum()), "text", "no word in it")
    if not has_words.any():
        raise DataError(
            f"{texts.source} has no text with a word in it: put texts there, or name another file or folder"
        )
    labels = np.array(texts.labels, np.int64)[has_words]
    return Split(torch.from_numpy(ids[has_words]), torch.from_numpy(labels))


def _shuffled(split: Split) -> Split:
    """The same samples in an order that is always the same: files are often sorted by class, and pictures of a run
    are drawn from the first samples."""
    order = torch.from_numpy(np.random.RandomState(0).permutation(len(split)))
    return Split(split.inputs[order], split.targets[order])

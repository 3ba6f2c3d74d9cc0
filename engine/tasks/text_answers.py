"""What a model that classifies texts says of words: of a person's, and of those it knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from engine.data.bundle import DataBundle
from engine.data.vocabulary import SPECIAL, UNKNOWN, encode
from engine.figures import Figure
from engine.tasks.base import CannotAnswer

WORDS_TRIED = 2000
"""The most frequent ones: a rare word's numbers have hardly been learned."""
WORDS_SHOWN = 20

Probabilities = Callable[[Tensor], np.ndarray]
"""From (N, length) token ids to (N, classes)."""


def answer_text(data: DataBundle, probabilities: Probabilities, text: str) -> dict[str, float]:
    """A probability for each class, by its name.

    Raises:
        CannotAnswer: there is no word in `text` that the vocabulary knows.
    """
    ids = encode([text], data.vocabulary, data.input_shape[0])
    if not ids.any():
        raise CannotAnswer("there is no word in it: write a sentence or two")
    if ids.max() <= UNKNOWN:
        few = "none of its words was" if ids.sum() > 1 else "its word was not"
        raise CannotAnswer(f"{few} among those learned in training: write it otherwise")
    values = probabilities(torch.from_numpy(ids))[0].tolist()
    return dict(zip(data.class_names, values, strict=True))


def telling_words(data: DataBundle, probabilities: Probabilities) -> Figure:
    """The words that, each standing alone, speak most for a class."""
    last = min(len(data.vocabulary), len(SPECIAL) + WORDS_TRIED)
    alone = torch.zeros(last - len(SPECIAL), data.input_shape[0], dtype=torch.int64)
    alone[:, 0] = torch.arange(len(SPECIAL), last)
    of_words = probabilities(alone)
    order = np.argsort(-of_words, axis=0, kind="stable")[:WORDS_SHOWN]
    lines = [_listed(data.vocabulary, order[:, place]) for place in range(data.outputs)]
    arrays = {"labels": np.array(data.class_names, dtype=np.str_), "texts": np.array(lines, dtype=np.str_)}
    return Figure("words", "words", "Words that alone speak most for a class, the surest first", arrays)


def _listed(vocabulary: Sequence[str], order: np.ndarray) -> str:
    return "  ".join(vocabulary[len(SPECIAL) + place][:40] for place in order.tolist())

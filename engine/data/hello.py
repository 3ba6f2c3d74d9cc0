"""One word, each letter of which has an answer: the smallest sequence that can be learned."""

from __future__ import annotations

from pathlib import Path

import torch

from engine.data.bundle import DataBundle, Split
from engine.schema import text_data as schema

WORD, ANSWER = "hello", "ohlol"
LETTERS = tuple(sorted(set(WORD)))


def load_hello(data: schema.Hello, seed: int, data_dir: Path) -> DataBundle:
    """The word and its answer; nothing is drawn or held out."""
    inputs, targets = (torch.tensor([[LETTERS.index(letter) for letter in word]]) for word in (WORD, ANSWER))
    return DataBundle(
        train=Split(inputs, targets),
        val=None,
        input_shape=(len(WORD),),
        outputs=len(LETTERS),
        class_names=LETTERS,
        vocabulary=LETTERS,
    )

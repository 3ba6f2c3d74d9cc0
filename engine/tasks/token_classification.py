"""Choose one of several classes for each token of a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.data.bundle import DataBundle, Split
from engine.figures import Figure
from engine.schema import RunConfig
from engine.tasks.means import Rows, joined, mean_losses, means
from engine.tasks.supervised import Supervised, answered

LINES_KEPT = 100


class TokenClassificationTask(Supervised):
    """Cross-entropy of (N, T, classes) logits, averaged over tokens; keeps what was spelled after each epoch."""

    metric = "accuracy"
    higher_is_better = True

    def __init__(self, config: RunConfig, data: DataBundle, device: torch.device) -> None:
        super().__init__(config, data, device)
        self._spelled: list[tuple[int, str]] = []
        """Epochs, and what the first sequence was answered with after each."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(outputs.flatten(0, 1), targets.flatten())

    def measure_rows(self, rows: Rows) -> dict[str, Tensor]:
        right = answered(joined(rows, "outputs"), joined(rows, "targets"))
        return {"loss": mean_losses(rows), "accuracy": means(right, rows)}

    def end_epoch(self, epoch: int) -> list[Figure]:
        """Note what the first sequence is answered with now. The one picture of all epochs is drawn by `figures`."""
        first = (self.data.val or self.data.train).inputs[:1]
        before = [line for line in self._spelled if line[0] < epoch]  # a run may be resumed where it began
        self._spelled = [*before, (epoch, self._in_words(self.predict(first)[0].argmax(1)))][-LINES_KEPT:]
        return []

    def figures(self, sample: Split) -> list[Figure]:
        arrays = {
            "labels": np.array([f"epoch {epoch:,}" for epoch, _ in self._spelled], dtype=np.str_),
            "texts": np.array([text for _, text in self._spelled], dtype=np.str_),
            "wanted": np.array([self._in_words(sample.targets[0])]),
        }
        title = f"What '{self._asked(sample)}' is answered with, epoch by epoch"
        return [Figure("spelling", "words", title, arrays)]

    def extra_state(self) -> dict[str, Any]:
        return {"spelled": [[epoch, text] for epoch, text in self._spelled]}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        self._spelled = [(epoch, text) for epoch, text in state["spelled"]]

    def _in_words(self, classes: Tensor) -> str:
        """Names of (T,) classes: letters as one word."""
        return _together([self.data.class_names[place] for place in classes.tolist()])

    def _asked(self, sample: Split) -> str:
        return _together([self.data.vocabulary[id] for id in sample.inputs[0].tolist()])


def _together(tokens: list[str]) -> str:
    return ("" if all(len(token) == 1 for token in tokens) else " ").join(tokens)

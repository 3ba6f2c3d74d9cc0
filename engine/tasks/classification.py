"""Choose one of several classes."""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from engine.data.bundle import Split
from engine.data.vocabulary import SPECIAL
from engine.figures import Figure
from engine.schema import task as schema
from engine.tasks.class_pictures import matrix_figure, mistakes_figure, regions_figure, weights_figure
from engine.tasks.means import Rows, joined, mean_losses, means
from engine.tasks.supervised import Supervised, answered
from engine.tasks.text_answers import answer_text, telling_words

MATRIX_CLASSES = 1000
"""With more of them a confusion matrix is larger than what it is made from, and nobody could read it."""


class ClassificationTask(Supervised):
    """Cross-entropy of one logit per class."""

    metric = "accuracy"
    higher_is_better = True
    draws_outputs = True

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        task = self.config.task
        smoothing = task.label_smoothing if isinstance(task, schema.Classification) else 0.0
        return self._cross_entropy(outputs, targets, smoothing)

    def evaluation_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy without smoothing, so that runs with more and less of it compare."""
        return self._cross_entropy(outputs, targets, 0.0)

    def _cross_entropy(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        if self.config.task.loss == "nll":
            outputs = F.log_softmax(outputs, dim=1)
            if not smoothing:
                return F.nll_loss(outputs, targets)
        return F.cross_entropy(outputs, targets, label_smoothing=smoothing)

    def measure_rows(self, rows: Rows) -> dict[str, Tensor]:
        right = answered(joined(rows, "outputs"), joined(rows, "targets"))
        return {"loss": mean_losses(rows), "accuracy": means(right, rows)}

    def answer(self, text: str) -> dict[str, float]:
        if not self.data.vocabulary:
            return super().answer(text)
        return answer_text(self.data, self._probabilities, text)

    def figures(self, sample: Split) -> list[Figure]:
        if self.data.input_shape == (2,) and not self.data.vocabulary:
            return [regions_figure(self.data, sample, self._classes_of)]
        probabilities: np.ndarray = self.outputs_of(sample).softmax(1).numpy()
        truth, guess = sample.targets.cpu().numpy(), probabilities.argmax(1)
        matrix = [matrix_figure(self.data, truth, guess)] if self.data.outputs <= MATRIX_CLASSES else []
        if len(self.data.vocabulary) > len(SPECIAL):
            return [*matrix, telling_words(self.data, self._probabilities)]
        if len(self.data.input_shape) != 3:
            return matrix
        mistakes = mistakes_figure(self.data, sample, probabilities)
        if features := self.feature_figures(sample):
            return [*features, mistakes, *matrix]
        if self.config.model.kind == "linear":
            return [weights_figure(self.data, self.model), *matrix, mistakes]
        return [*matrix, mistakes]

    def _probabilities(self, inputs: Tensor) -> np.ndarray:
        """(N, classes) of prepared inputs."""
        probabilities: np.ndarray = self.predict(inputs).softmax(1).numpy()
        return probabilities

    def _classes_of(self, inputs: Tensor) -> np.ndarray:
        """(N,) classes of prepared inputs."""
        classes: np.ndarray = self.predict(inputs).argmax(1).numpy()
        return classes

"""Say yes or no."""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from engine.data.bundle import Split
from engine.figures import Figure
from engine.tasks.class_pictures import matrix_figure, regions_figure
from engine.tasks.means import Rows, joined, mean_losses, means
from engine.tasks.number_pictures import inputs_at, linear_gauged, linear_gauges, thinned, x_axis
from engine.tasks.supervised import Supervised

CURVE_MARGIN = 0.25


class BinaryClassificationTask(Supervised):
    """Binary cross-entropy of one logit: its mean, or its sum."""

    metric = "accuracy"
    higher_is_better = True
    draws_outputs = True

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        reduction = "sum" if self.loss_is_sum else "mean"
        return F.binary_cross_entropy_with_logits(outputs, targets, reduction=reduction)

    @property
    def loss_is_sum(self) -> bool:
        return self.config.task.loss == "bce-sum"

    def measure_rows(self, rows: Rows) -> dict[str, Tensor]:
        outputs = joined(rows, "outputs")
        right = ((outputs > 0) == (joined(rows, "targets") > 0.5)) & ~outputs.isnan()  # NaN is no answer
        return {"loss": mean_losses(rows, self.loss_is_sum), "accuracy": means(right, rows)}

    def gauged(self) -> Tensor | None:
        return linear_gauged(self.model) if self.config.model.kind == "linear" else None

    def gauges(self, gauged: Tensor) -> dict[str, Tensor]:
        gauges = linear_gauges(gauged)
        if "param/w" in gauges:
            gauges["param/boundary"] = -gauges["param/b"] / gauges["param/w"]
        return gauges

    def figures(self, sample: Split) -> list[Figure]:
        if self.data.input_shape == (1,):
            return [self._probability_figure()]
        if self.data.input_shape == (2,):
            return [regions_figure(self.data, sample, self._classes_of)]
        truth = sample.targets.reshape(-1).cpu().numpy().astype(np.int64)
        guess = _classes(self.outputs_of(sample))
        return [*self.feature_figures(sample), matrix_figure(self.data, truth, guess)]

    def _classes_of(self, inputs: Tensor) -> np.ndarray:
        """(N,) 0 or 1 of prepared inputs."""
        return _classes(self.predict(inputs))

    def _probability_figure(self) -> Figure:
        points = thinned(self.data.train)
        line_x = x_axis(self.data, CURVE_MARGIN)
        logits = self.predict(inputs_at(self.data, line_x))[:, 0].double()
        arrays = {
            "x": points.inputs[:, 0].cpu().numpy().astype(np.float64),
            "y": points.targets.reshape(-1).cpu().numpy().astype(np.float64),
            "line_x": line_x,
            "line_y": logits.sigmoid().numpy(),
        }
        boundary = _first_zero(line_x, logits.numpy())
        if boundary is None:
            return Figure("probability", "curve", f"Probability of '{self.data.class_names[1]}'", arrays)
        arrays["boundary"] = np.array([boundary])
        title = f"Probability of '{self.data.class_names[1]}'; the guess flips at {boundary:.2f}"
        return Figure("probability", "curve", title, arrays)


def _classes(outputs: Tensor) -> np.ndarray:
    """(N,) 0 or 1 of (N, 1) logits."""
    classes: np.ndarray = (outputs[:, 0] > 0).numpy().astype(np.int64)
    return classes


def _first_zero(x: np.ndarray, y: np.ndarray) -> float | None:
    """Where (M,) `y` first changes its sign over ascending `x`, between two places along a straight line."""
    known = np.isfinite(y)
    flips = np.flatnonzero((np.signbit(y[1:]) != np.signbit(y[:-1])) & known[1:] & known[:-1])
    if not len(flips):
        return None
    left = flips[0]
    share = y[left] / (y[left] - y[left + 1])
    return float(x[left] + share * (x[left + 1] - x[left]))

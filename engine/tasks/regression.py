"""Predict numbers."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from engine.data.bundle import Split
from engine.figures import Figure
from engine.tasks.number_pictures import (
    agreement_figure,
    compare_figure,
    fit_figure,
    history_figure,
    linear_gauged,
    linear_gauges,
)
from engine.tasks.supervised import Supervised


class RegressionTask(Supervised):
    """Squared error: its mean, half of that, or its sum."""

    metric = "loss"
    higher_is_better = False

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        match self.config.task.loss:
            case "mse":
                return F.mse_loss(outputs, targets)
            case "half-mse":
                return F.mse_loss(outputs, targets) * 0.5
            case _:
                return F.mse_loss(outputs, targets, reduction="sum")

    @property
    def loss_is_sum(self) -> bool:
        return self.config.task.loss == "mse-sum"

    def gauged(self) -> Tensor | None:
        return linear_gauged(self.model) if self._is_one_line else None

    def gauges(self, gauged: Tensor) -> dict[str, Tensor]:
        return linear_gauges(gauged)

    def figures(self, sample: Split) -> list[Figure]:
        """The fitted curve over one-dimensional data, else agreement; of a linear model also its parameters."""
        gauged = self.gauged()
        gauges = {} if gauged is None else self.gauges(gauged[None])
        compared = compare_figure(self.data, gauges)
        parameters = [*([compared] if compared else []), *([history_figure(gauges)] if gauges else [])]
        if self.data.input_shape == (1,) or self.data.features_of_x is not None:
            return [fit_figure(self.data, self.predict), *parameters]
        return [*self.feature_figures(sample), *parameters, agreement_figure(self.data, sample, self.predict)]

    @property
    def _is_one_line(self) -> bool:
        return self.config.model.kind == "linear" and self.data.outputs == 1

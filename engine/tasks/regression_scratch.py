"""Linear regression from scratch: what `nn.Linear`, a loss function and an optimizer do, in a few lines."""

from __future__ import annotations

from math import prod
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from engine.data.bundle import DataBundle
from engine.models.linear import initial_weights
from engine.schema import RunConfig
from engine.schema import model as schema
from engine.tasks.base import Observation
from engine.tasks.regression import RegressionTask


class BareLinear(nn.Module):
    """Two bare tensors and a formula. A module only so that checkpoints find the tensors."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight = Parameter(weight)
        self.bias = Parameter(bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, outputs) of (N, fan_in)."""
        return inputs @ self.weight.T + self.bias


class RegressionScratchTask(RegressionTask):
    """Half the mean squared error, and w -= lr * gradient."""

    model: BareLinear

    def __init__(self, config: RunConfig, data: DataBundle, device: torch.device) -> None:
        super().__init__(config, data, device)
        self._lr = torch.zeros((), device=device)  # where a captured step finds it changed

    def build_model(self) -> nn.Module:
        model = cast(schema.Linear, self.config.model)
        return BareLinear(*initial_weights(model, prod(self.data.input_shape), self.data.outputs))

    def build_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {}

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return ((outputs - targets) ** 2 / 2).mean()

    def set_lr(self, lr: float) -> None:
        self._lr.fill_(lr)

    def train_step(self, inputs: Tensor, targets: Tensor) -> Observation:
        outputs = self.model(inputs)
        loss = self.loss(outputs, targets)
        loss.backward()  # type: ignore[no-untyped-call] # torch has not typed it
        if self.guard is not None:
            self.check({"loss": loss}, self.modules)
        with torch.no_grad():
            for tensor in (self.model.weight, self.model.bias):
                assert tensor.grad is not None
                tensor.sub_(self._lr * tensor.grad)
                tensor.grad = None
        return {"loss": loss.detach(), "outputs": outputs.detach(), "targets": targets}

"""Choose one of several classes with a network written by hand."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor, nn

from engine.data.bundle import DataBundle
from engine.schema import RunConfig
from engine.schema import model as schema
from engine.tasks import numpy_network as network
from engine.tasks.base import Observation
from engine.tasks.classification import ClassificationTask


class NumpyClassificationTask(ClassificationTask):
    """A step without autograd. Weights live in a module that NumPy works on in place, so checkpoints find them."""

    _lr = 0.0

    def __init__(self, config: RunConfig, data: DataBundle, device: torch.device) -> None:
        super().__init__(config, data, device)
        # on products this small, BLAS threads that wait for each other take ten times as long
        ThreadpoolController().limit(limits=torch.get_num_threads(), user_api="blas")

    def build_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {}

    def set_lr(self, lr: float) -> None:
        self._lr = lr

    @np.errstate(all="ignore")  # numbers that are not finite are found by who looks at the loss, and told of once
    def train_step(self, inputs: Tensor, targets: Tensor) -> Observation:
        weights, x = self._weights(), inputs.flatten(1).numpy()
        passed = network.forward(weights, x, self._activation)
        loss, slope = network.cross_entropy(passed.logits, targets.numpy())
        gradients = network.backward(weights, x, passed, slope, self._activation)
        if self.guard is not None:
            self.guard.check({"loss": torch.tensor(loss)}, self._named(gradients))
        network.update(weights, gradients, self._lr)
        return {"loss": torch.tensor(loss), "outputs": torch.from_numpy(passed.logits), "targets": targets}

    @np.errstate(all="ignore")
    def evaluate(self, inputs: Tensor, targets: Tensor) -> Observation:
        logits = network.forward(self._weights(), inputs.flatten(1).numpy(), self._activation).logits
        loss, _ = network.cross_entropy(logits, targets.numpy())
        return {"loss": torch.tensor(loss), "outputs": torch.from_numpy(logits), "targets": targets}

    @property
    def _activation(self) -> str:
        return cast(schema.Mlp, self.config.model).activation

    def _weights(self) -> network.Weights:
        return network.Weights(*(p.detach().numpy() for p in self._trained().values()))

    def _named(self, gradients: network.Weights) -> list[tuple[str, Tensor]]:
        """Gradients by the names of what they belong to."""
        return [(name, torch.from_numpy(array)) for name, array in zip(self._trained(), gradients, strict=True)]

    def _trained(self) -> dict[str, nn.Parameter]:
        """Weight and bias of both layers, by their full names, as autograd's tasks name theirs."""
        layers = {key: module for key, module in self.model.named_modules() if isinstance(module, nn.Linear)}
        return {f"model.{key}.{name}": p for key, layer in layers.items() for name, p in layer.named_parameters()}

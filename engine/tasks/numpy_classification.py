"""Choose one of several classes with a network written by hand."""

from __future__ import annotations

from typing import cast

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

    def train_step(self, inputs: Tensor, targets: Tensor) -> Observation:
        weights, x = self._weights(), inputs.flatten(1).numpy()
        passed = network.forward(weights, x, self._activation)
        loss, slope = network.cross_entropy(passed.logits, targets.numpy())
        network.update(weights, network.backward(weights, x, passed, slope, self._activation), self._lr)
        return {"loss": torch.tensor(loss), "outputs": torch.from_numpy(passed.logits), "targets": targets}

    def evaluate(self, inputs: Tensor, targets: Tensor) -> Observation:
        logits = network.forward(self._weights(), inputs.flatten(1).numpy(), self._activation).logits
        loss, _ = network.cross_entropy(logits, targets.numpy())
        return {"loss": torch.tensor(loss), "outputs": torch.from_numpy(logits), "targets": targets}

    @property
    def _activation(self) -> str:
        return cast(schema.Mlp, self.config.model).activation

    def _weights(self) -> network.Weights:
        layers = [module for module in self.model.modules() if isinstance(module, nn.Linear)]
        return network.Weights(*(p.detach().numpy() for layer in layers for p in (layer.weight, layer.bias)))

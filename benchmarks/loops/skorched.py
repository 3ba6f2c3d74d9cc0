"""skorch's NeuralNet, with the data iterator its FAQ recommends for data in memory, and without callbacks.

https://skorch.readthedocs.io/en/stable/user/FAQ.html
"""

from __future__ import annotations

from typing import Any

import torch
from skorch import NeuralNet
from torch import Tensor, nn

from benchmarks.loops import Trained, timed
from benchmarks.systems import Batches, System


class Criterion(nn.Module):
    """The system's loss as a module."""

    def __init__(self, system: System) -> None:
        super().__init__()
        self._system = system

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """A scalar."""
        return self._system.loss(outputs, targets)


def train(system: System) -> Trained:
    """All epochs in one `fit`."""
    clock = system.clock()
    batches = Batches(system, clock)
    settings = system.config.optimizer
    assert settings.kind == "sgd"
    net = NeuralNet(
        system.model(),
        criterion=Criterion(system),
        optimizer=torch.optim.SGD,
        optimizer__momentum=settings.momentum,
        optimizer__fused=True,
        lr=settings.lr,
        max_epochs=system.epochs,
        batch_size=system.batch_size,
        iterator_train=lambda dataset, **_: batches,
        train_split=None,
        callbacks="disable",
        verbose=0,
    )
    net.fit(system.inputs, system.targets)
    module: Any = net.module_
    return timed(clock, module)

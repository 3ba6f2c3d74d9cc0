"""A training step whose numbers are looked at before they are used."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.blame import find_layer
from engine.checkpoint import random_states, restore_random_states
from engine.guard import Guard, NonFiniteFound
from engine.tasks.base import Observation, Task


class BadStep(ArithmeticError):
    """A step that could not be taken: `what` became NaN or infinite, first in `layer` (empty if that is not known)."""

    def __init__(self, what: str, layer: str) -> None:
        super().__init__(what)
        self.what, self.layer = what, layer


class GuardedStepper:
    """Takes steps of `task` that either are good or leave no trace."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def take(self, inputs: Tensor, targets: Tensor) -> Observation:
        """One step.

        Raises:
            BadStep: a loss or a gradient was not finite; weights, buffers, optimizers and random states are as before.
        """
        task, before = self._task, _Passing(self._task)
        task.guard = Guard()
        try:
            return task.train_step(inputs, targets)
        except NonFiniteFound as found:
            before.restore()
            layer = find_layer(task, inputs, targets)
            before.restore()
            raise BadStep("loss" if found.what == "loss" else f"gradient of {found.name}", layer) from None
        finally:
            task.guard = None


class _Passing:
    """What a step moves before its gradients are known: random states, and buffers such as running statistics."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._states = random_states(task.device)
        self._buffers = [
            (buffer, buffer.detach().clone()) for module in task.modules.values() for buffer in module.buffers()
        ]

    def restore(self) -> None:
        restore_random_states(self._states, self._task.device)
        with torch.no_grad():
            for buffer, value in self._buffers:
                buffer.copy_(value)

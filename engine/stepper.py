"""A training step whose numbers are looked at before they are used."""

from __future__ import annotations

from torch import Tensor

from engine.blame import find_layer
from engine.guard import Guard, NonFiniteFound
from engine.kept import Kept
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
        task = self._task
        # all that a step moves before its gradients are known
        buffers = [buffer for module in task.modules.values() for buffer in module.buffers()]
        before = Kept(buffers, random_of=task.device)
        task.guard = Guard()
        try:
            return task.train_step(inputs, targets)
        except NonFiniteFound as found:
            before.put_back()
            layer = find_layer(task, inputs, targets)
            before.put_back()
            raise BadStep("loss" if found.what == "loss" else f"gradient of {found.name}", layer) from None
        finally:
            task.guard = None

"""A whole training step, captured once and replayed: one launch instead of a hundred."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from engine.capturable import NotCapturable
from engine.kept import Kept, tensors_of
from engine.tasks.base import Observation, Task

T = TypeVar("T")

RATES = (1.0, 0.1)
"""Shares of the learning rate at which a graph has to do what the eager step does."""
TOLERANCE = 0.2
"""Of how far the weights move. Sums that add up in another order differ by far less, a learning rate that was captured
as a number by more: a graph that holds on to it is nine tenths of the second step away."""


class Graphs(Protocol):
    """Captures work; see `engine.cuda_graph.CudaGraphs`."""

    def rehearsing(self) -> Any: ...

    def capture(self, work: Callable[[], T]) -> tuple[Callable[[], Any], T]: ...


class GraphedStep:
    """Takes steps of `task` on batches of one shape by replaying what was captured.

    Everything the step reads from tensors may change between two replays: weights, the batch, the learning rate.
    What it read from Python is fixed. So the graph is tried before it is used: two steps, at two learning rates, have
    to move the weights to where two eager steps move them.

    Args:
        task: Has taken steps before: its optimizers have their states, in tensors (`engine.capturable`).
        inputs: A batch, for its shape.
        targets: Its targets.
        lr: The learning rate, put back at the end.
        graphs: How to capture.

    Raises:
        NotCapturable: the graph does not do what the step does.
        Exception: whatever stands in the way of a capture. In either case the task is as it was.
    """

    def __init__(self, task: Task, inputs: Tensor, targets: Tensor, lr: float, graphs: Graphs) -> None:
        self._inputs, self._targets = inputs.clone(), targets.clone()
        self._given: tuple[Tensor, Tensor] | None = None
        kept = Kept(tensors_of(task.modules.values()), task.optimizers.values(), random_of=task.device)
        try:
            with graphs.rehearsing():
                wanted = _moved(task, lr, self._on_static_batch(task))
            kept.put_back()
            self._replay, self._results = graphs.capture(self._on_static_batch(task))
            reached = _moved(task, lr, self._replay)
        finally:
            for module in task.modules.values():
                module.zero_grad(set_to_none=True)
            kept.put_back()
            task.set_lr(lr)
        _check(wanted, reached, tensors_of(task.modules.values()))

    def fits(self, inputs: Tensor, targets: Tensor) -> bool:
        """Whether a batch has the shapes that were captured."""
        return inputs.shape == self._inputs.shape and targets.shape == self._targets.shape

    def take(self, inputs: Tensor, targets: Tensor) -> Observation:
        """One step on a batch that fits."""
        # where all rows are one batch it is the same every time
        if self._given is None or inputs is not self._given[0] or targets is not self._given[1]:
            self._inputs.copy_(inputs)
            self._targets.copy_(targets)
            self._given = inputs, targets
        self._replay()
        # the next step writes its results into the same memory
        return {key: targets if value is self._targets else value.clone() for key, value in self._results.items()}

    def _on_static_batch(self, task: Task) -> Callable[[], Observation]:
        return lambda: task.train_step(self._inputs, self._targets)


def _moved(task: Task, lr: float, step: Callable[[], object]) -> list[Tensor]:
    """Where two steps take all weights and buffers."""
    for share in RATES:
        task.set_lr(share * (lr or 1e-3))
        step()
    return [tensor.detach().clone() for tensor in tensors_of(task.modules.values())]


def _check(wanted: list[Tensor], reached: list[Tensor], before: list[Tensor]) -> None:
    """Compare what was to be reached with what was, with one host sync.

    Raises:
        NotCapturable: they are apart.
    """
    apart = _distance(wanted, reached)
    if not bool(apart <= TOLERANCE * _distance(wanted, before)):  # NaN is apart as well
        raise NotCapturable("replayed it does not move the weights to where it should")


def _distance(some: list[Tensor], others: list[Tensor]) -> Tensor:
    """Euclidean distance of all floating numbers together."""
    pairs = [(one.float(), other.float()) for one, other in zip(some, others, strict=True) if one.is_floating_point()]
    distances = [torch.linalg.vector_norm(one - other.detach()) for one, other in pairs]
    distance: Tensor = torch.linalg.vector_norm(torch.stack(distances))
    return distance

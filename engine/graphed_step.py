"""A whole training step, captured once and replayed: one launch instead of a hundred."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from engine.capturable import NotCapturable
from engine.kept import Kept, tensors_of
from engine.tasks.base import Observation, Task

T = TypeVar("T")

RATES = (1.0, 0.1)
"""Shares of the learning rate at which a graph has to do what the eager step does."""
LEAST_RATE = 0.01
"""Share of the configuration's learning rate that is tried at least: at the bottom of a warm-up nothing would move."""
TOLERANCE = 0.2
"""Of how far a tensor moves. Sums that add up in another order differ by far less, a learning rate that was captured as
a number by more: a graph that holds on to it is nine tenths of the second step away."""
AGREEING = 0.9
"""Share of all numbers whose tensors must agree. Some gradients are nothing but rounding, such as those of a bias
before batch norm, and rules like Adam make whole steps of them."""

ROOM_BYTES, ROOM_STEPS = 1 << 20, 256
"""For results of steps that are allocated at once, at most: all of it lives as long as one of them does."""


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
        inputs: A batch of the size that most have.
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
        self._free: list[tuple[Tensor, ...]] = []
        rate = max(lr, LEAST_RATE * task.config.optimizer.lr)
        parameters = [p for module in task.modules.values() for p in module.parameters() if p.requires_grad]
        kept = Kept(tensors_of(task.modules.values()), task.optimizers.values(), random_of=task.device)
        before = [parameter.detach().clone() for parameter in parameters]
        try:
            with graphs.rehearsing():
                _take_two(task, rate, self._on_static_batch(task))
                wanted = [parameter.detach().clone() for parameter in parameters]
            kept.put_back()
            self._replay, results = graphs.capture(self._on_static_batch(task))
            _take_two(task, rate, self._replay)
            _check(wanted, parameters, before)
        finally:
            for module in task.modules.values():
                module.zero_grad(set_to_none=True)
            kept.put_back()
            task.set_lr(lr)
        self._results = {key: value for key, value in results.items() if value is not self._targets}
        self._gives_targets = [key for key in results if key not in self._results]

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
        kept = self._free.pop() if self._free else self._make_room()
        torch._foreach_copy_(kept, list(self._results.values()))
        return {**dict(zip(self._results, kept, strict=True)), **dict.fromkeys(self._gives_targets, targets)}

    def _make_room(self) -> tuple[Tensor, ...]:
        """Room for the results of a step; and for those of some more, since each allocation takes its time."""
        results = self._results.values()
        steps = min(ROOM_STEPS, max(1, ROOM_BYTES // sum(result.nbytes for result in results)))
        blocks = (torch.empty((steps, *result.shape), dtype=result.dtype, device=result.device) for result in results)
        self._free = list(zip(*(block.unbind() for block in blocks), strict=True))
        return self._free.pop()

    def _on_static_batch(self, task: Task) -> Callable[[], Observation]:
        return lambda: task.train_step(self._inputs, self._targets)


def _take_two(task: Task, rate: float, step: Callable[[], object]) -> None:
    for share in RATES:
        task.set_lr(share * rate)
        step()


def _check(wanted: Sequence[Tensor], reached: Sequence[Tensor], before: Sequence[Tensor]) -> None:
    """Compare where parameters were to go with where they went, each by its own way, with one host sync.

    Raises:
        NotCapturable: they are apart.
    """
    apart, way = _distances(wanted, reached), _distances(wanted, before)
    agrees = (apart <= TOLERANCE * way).tolist()  # NaN does not
    agreeing = sum(tensor.numel() for tensor, is_so in zip(wanted, agrees, strict=True) if is_so)
    if agreeing < AGREEING * sum(tensor.numel() for tensor in wanted):
        raise NotCapturable("replayed it does not move the weights to where it should")


def _distances(some: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
    """(tensors,) Euclidean distances, each of one tensor from another."""
    pairs = zip(some, others, strict=True)
    return torch.stack([torch.linalg.vector_norm((one - other.detach()).abs().float()) for one, other in pairs])

"""How steps are executed: eagerly, or on a CUDA device as a graph that is captured once and replayed."""

from __future__ import annotations

import time
from collections.abc import Callable

from torch import Tensor

from engine.batch_search import free_memory, is_out_of_memory
from engine.capturable import NotCapturable, make_capturable, make_plain
from engine.cuda_graph import CudaGraphs
from engine.graphed_step import GraphedStep, Graphs
from engine.tasks.base import Observation, Task
from engine.text import first_line, plain

EAGER_FIRST = 20
"""Steps before one is captured: optimizers make their states and libraries choose their kernels in the first few, and a
run that is over by then would not get back what a capture costs."""
NOT_REPLAYED = "steps are not replayed as a CUDA graph, because"


class Stepping:
    """Takes the steps of one run.

    Args:
        task: What is trained.
        batch_size: Rows of every batch but, perhaps, an epoch's last.
        say: Takes a line for the run's log.
        graphs: How steps are captured; by default as the task's device has it.
    """

    def __init__(self, task: Task, batch_size: int, say: Callable[[str], None], graphs: Graphs | None = None) -> None:
        self._task, self._batch_size, self._say = task, batch_size, say
        self._wanted = graphs or (CudaGraphs() if task.device.type == "cuda" else None)
        if task.config.trainer.cuda_graph == "off":
            self._wanted = None
        self._graphs = self._wanted
        """None once capturing has failed."""
        self._graph: GraphedStep | None = None
        self._eager_steps = 0
        self._lr = 0.0

    def set_lr(self, lr: float) -> None:
        """Use the learning rate `lr` (schedule included) from the next step on."""
        self._lr = lr
        self._task.set_lr(lr)

    def take(self, inputs: Tensor, targets: Tensor) -> Observation:
        """One step, as `Task.train_step`."""
        if self._graphs is not None:
            if self._graph is None and self._eager_steps >= EAGER_FIRST and len(inputs) == self._batch_size:
                self._capture(inputs, targets, self._graphs)
            if self._graph is not None and self._graph.fits(inputs, targets):
                return self._graph.take(inputs, targets)
            self._eager_steps += 1
        return self._task.train_step(inputs, targets)

    def forget(self) -> None:
        """Let go of the graph, as if no step had been taken: optimizers were given other states than those that it
        knows, or its memory is wanted."""
        self._graph, self._graphs, self._eager_steps = None, self._wanted, 0

    def leave_guarded(self) -> None:
        """Say that steps are taken by somebody else, who looks at every number before it is used."""
        if self._graphs is not None:
            self._say(f"{NOT_REPLAYED} trainer.on_nonfinite skip looks at every step before it counts")

    def _capture(self, inputs: Tensor, targets: Tensor, graphs: Graphs) -> None:
        began_s = time.perf_counter()
        try:
            _check_wish(self._task)
            make_capturable(self._task.optimizers.values(), self._task.device)
            self._graph = GraphedStep(self._task, inputs, targets, self._lr, graphs)
        except Exception as error:  # whatever it is, the run goes on without
            make_plain(self._task.optimizers.values())
            self._task.set_lr(self._lr)
            self._graphs = None
            reason = _in_a_line(error)
            free_memory(error, self._task)  # the next step may need what the attempt held, and so may saying it
            self._say(f"{NOT_REPLAYED} {reason}")
        else:
            self._say(f"steps are replayed as a CUDA graph, captured in {time.perf_counter() - began_s:.2f} s")


def _check_wish(task: Task) -> None:
    """A network of the user's own may count steps in Python, for instance, which no trial of two steps brings to light.

    Raises:
        NotCapturable: it is one, and nobody has said that it may be captured.
    """
    if task.config.trainer.cuda_graph == "auto" and task.config.model.kind == "custom":
        raise NotCapturable("your own network may change from step to step: set trainer.cuda_graph to on if it doesn't")


def _in_a_line(error: Exception) -> str:
    if isinstance(error, NotCapturable):
        return str(error)
    if is_out_of_memory(error):
        return "there is not enough memory to try it"
    return plain(first_line(error))[:200]

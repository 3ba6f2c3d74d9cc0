"""Measuring a task on data it is not trained on, and asking it about a person's text."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from engine.batch_search import free_memory, is_out_of_memory
from engine.batches import evaluation_batches
from engine.checkpoint import undisturbed_random_states
from engine.data.bundle import DataBundle
from engine.events import Answered
from engine.meters import to_floats
from engine.tasks.base import CannotAnswer, Observation, Task


class Evaluation(NamedTuple):
    """What an evaluation found out."""

    values: dict[str, float | None]
    """What the task measures; None where a number is not finite."""
    outputs: list[Tensor]
    """(N, ...) what the model makes of each row, on the device, in pieces; none where the task does not draw them."""


def evaluate(task: Task, data: DataBundle, is_broken_off: Callable[[], bool]) -> Evaluation | None:
    """What the task measures on held-out rows, or on the training rows where none are held out.

    Args:
        task: What to measure.
        data: What it is trained on.
        is_broken_off: Asked after each batch; once it is so, the result is None.
    """
    observations: list[Observation] = []
    for inputs, targets in evaluation_batches(data, data.val or data.train, task.device):
        observations += _observations(task, inputs, targets)
        if is_broken_off():
            return None
    measured = task.measure(observations)
    values = dict(zip(measured, to_floats(list(measured.values())), strict=True))
    return Evaluation(values, [each["outputs"] for each in observations] if task.draws_outputs else [])


def _observations(task: Task, inputs: Tensor, targets: Tensor) -> list[Observation]:
    """Of all rows at once, or of as many as there is memory for: training with small batches may fit where this does
    not, and it would be a pity to lose it to its own measuring."""
    try:
        return [task.evaluate(inputs, targets)]
    except Exception as error:
        if not is_out_of_memory(error) or len(targets) == 1:
            raise
        free_memory(error, task)
    half = len(targets) // 2
    return [*_observations(task, inputs[:half], targets[:half]), *_observations(task, inputs[half:], targets[half:])]


def answer(task: Task, step: int, id: str, text: str) -> Answered:
    """What the task makes of a text, or why it makes nothing of it; training is not disturbed."""
    try:
        with undisturbed_random_states(task.device):
            values = task.answer(text)
        if not all(map(math.isfinite, values.values())):
            raise CannotAnswer("the network gives no finite numbers")
        return Answered(step=step, id=id, values=values)
    except CannotAnswer as error:
        return Answered(step=step, id=id, values={}, refusal=str(error))
    except Exception as error:  # a network of somebody's own may trip over a single text: training goes on
        return Answered(step=step, id=id, values={}, refusal=f"{type(error).__name__}: {error}")

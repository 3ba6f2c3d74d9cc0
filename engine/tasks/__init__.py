"""What one training step means, what to measure and what to draw; one family per file."""

from __future__ import annotations

import torch

from engine.complete import check_complete
from engine.data.bundle import DataBundle
from engine.fit import check_fit
from engine.schema import RunConfig
from engine.tasks.base import CannotAnswer, Observation, Task
from engine.tasks.binary import BinaryClassificationTask
from engine.tasks.classification import ClassificationTask
from engine.tasks.gan import GanTask
from engine.tasks.numpy_classification import NumpyClassificationTask
from engine.tasks.regression import RegressionTask
from engine.tasks.regression_scratch import RegressionScratchTask
from engine.tasks.token_classification import TokenClassificationTask

__all__ = ["CannotAnswer", "Observation", "Task", "build_task"]

_TASKS: dict[str, type[Task]] = {
    "regression": RegressionTask,
    "regression-scratch": RegressionScratchTask,
    "binary-classification": BinaryClassificationTask,
    "classification": ClassificationTask,
    "classification-numpy": NumpyClassificationTask,
    "token-classification": TokenClassificationTask,
    "gan": GanTask,
}
check_complete("task", _TASKS, "_TASKS in engine/tasks/__init__.py")


def build_task(config: RunConfig, data: DataBundle, device: torch.device) -> Task:
    """The task that `config` describes, with its modules and optimizers on `device`.

    Initial weights follow from the seed alone: they are drawn on the CPU, and torch's generator is left as it was.

    Raises:
        DataError: model or task do not fit the data, as could not be known before it was loaded.
        CustomCodeError: the user's own network can't be built.
    """
    check_fit(config, data)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.trainer.seed)
        return _TASKS[config.task.kind](config, data, device)

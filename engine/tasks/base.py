"""The interface between the training loop and what it trains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from engine.data.bundle import DataBundle, Split
from engine.figures import Figure
from engine.guard import Guard, NonFiniteFound
from engine.schema import RunConfig


class CannotAnswer(Exception):
    """A question that a model can't answer; the message is one line."""


Observation = Mapping[str, Tensor]
"""What a step leaves to be measured later, detached and on the device: `loss`, and perhaps outputs and targets."""


@dataclass(frozen=True)
class Sample(Split):
    """Stored samples that figures are drawn from."""

    outputs: Tensor | None = None
    """(N, ...) what the model makes of them now, where an evaluation has just found that out."""


class Task(ABC):
    """Owns modules and optimizers, and says what a step does. The loop knows nothing else of what it trains.

    Everything a resume needs must be reachable through `modules` and `optimizers`, or returned by `extra_state`.
    """

    metric: ClassVar[str]
    """The value that says how good a run is, without its split: `loss` or `accuracy`; empty where none does."""
    higher_is_better: ClassVar[bool]
    draws_outputs: ClassVar[bool] = False
    """Whether `figures` makes use of a sample's outputs where an evaluation has found them."""

    config: RunConfig
    data: DataBundle
    """What it is trained on: what it was given, perhaps prepared otherwise."""
    device: torch.device
    modules: dict[str, nn.Module]
    """Modules whose weights make the model, by name."""
    optimizers: dict[str, torch.optim.Optimizer]
    """Empty for tasks that update by hand."""
    guard: Guard | None = None
    """Looks at a step's losses and gradients before they are made an update of; mostly there is none."""

    def __init__(self, config: RunConfig, data: DataBundle, device: torch.device) -> None:
        self.config = config
        self.data = data
        self.device = device

    @abstractmethod
    def set_lr(self, lr: float) -> None:
        """Use the learning rate `lr` (schedule included) from the next step on."""

    @abstractmethod
    def train_step(self, inputs: Tensor, targets: Tensor) -> Observation:
        """One update on one batch of prepared inputs. No host sync: measuring waits for `measure`.

        Raises:
            NonFiniteFound: the guard found a number that is not finite. Weights and optimizers are as they were, and
                no gradients are left; running statistics and random states may have moved.
        """

    @abstractmethod
    def evaluate(self, inputs: Tensor, targets: Tensor) -> Observation:
        """Like a step, without learning and in evaluation mode."""

    @abstractmethod
    def measure(self, observations: Sequence[Observation]) -> dict[str, Tensor]:
        """Scalars (on the device) that sum up observations: `loss`, `accuracy` …, each sample counting the same."""

    def measure_rows(self, rows: Sequence[Sequence[Observation]]) -> dict[str, Tensor]:
        """(rows,) of each number of `measure`, for each row of the log. Override it where all can be had at once."""
        measured = [self.measure(row) for row in rows]
        return {key: torch.stack([one[key] for one in measured]) for key in measured[0]}

    def gauged(self) -> Tensor | None:
        """(n,) copy of what gauges are worked out from, as it is now; None if there are none.

        Called after the last step of each row: the rest can wait for `gauges`.
        """
        return None

    def gauges(self, gauged: Tensor) -> dict[str, Tensor]:
        """Scalars of the model, logged under their own keys: `param/w`, `norm/weight`.

        Args:
            gauged: (rows, n), from `gauged`.

        Returns:
            (rows,) by their keys.
        """
        return {}

    def figures(self, sample: Split) -> list[Figure]:
        """Pictures of the model as it is now, drawn from `sample` (stored inputs, held-out ones where there are any).

        It may be a `Sample`, with outputs that need not be worked out again.
        Must leave random states, modes and weights as they were.
        """
        return []

    def end_epoch(self, epoch: int) -> list[Figure]:
        """Called when `epoch` epochs are over and an evaluation is due, and before the first (0); gives pictures to
        be kept for that epoch.

        As `figures`, it must leave random states, modes and weights as they were.
        """
        return []

    def answer(self, text: str) -> dict[str, float]:
        """What the model makes of a person's `text`: a probability for each class, by its name.

        Raises:
            CannotAnswer: this task takes no text, or not this one.
        """
        raise CannotAnswer(f"task '{self.config.task.kind}' on data '{self.config.data.kind}' takes no text")

    def extra_state(self) -> dict[str, Any]:
        """More to keep in a checkpoint: tensors, numbers, strings, lists and dicts of them."""
        return {}

    def load_extra_state(self, state: dict[str, Any]) -> None:  # noqa: B027 - most tasks keep nothing more
        """Take back what `extra_state` gave."""

    def check(self, losses: Mapping[str, Tensor], modules: Iterable[str]) -> None:
        """Let the guard look at `losses` and at the gradients of some of the `modules`, by name.

        Raises:
            NonFiniteFound: as the guard does; these modules have no gradients any more.
        """
        assert self.guard is not None
        named = [(f"{name}.{key}", p) for name in modules for key, p in self.modules[name].named_parameters()]
        try:
            self.guard.check(losses, [(name, parameter.grad) for name, parameter in named])
        except NonFiniteFound:
            for _, parameter in named:
                parameter.grad = None
            raise

    def parameter_count(self) -> int:
        """How many numbers training adjusts."""
        return sum(p.numel() for module in self.modules.values() for p in module.parameters() if p.requires_grad)

"""A module that learns to predict targets: the step that most tasks share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from engine.batches import evaluation_rows
from engine.data.bundle import DataBundle, Split
from engine.figures import Figure
from engine.models import build_model
from engine.modes import evaluating
from engine.optimizers import build_optimizers, lean_step, set_lr
from engine.schema import RunConfig
from engine.tasks.base import Observation, Sample, Task
from engine.tasks.feature_pictures import features_figure
from engine.tasks.means import Rows, mean_losses

ROWS_AT_ONCE = 16_384
"""Samples predicted together for a figure, at most."""


class Supervised(Task):
    """One module, one loss, one backward pass and one update per step."""

    def __init__(self, config: RunConfig, data: DataBundle, device: torch.device) -> None:
        super().__init__(config, data, device)
        self.model = self.build_model().to(device)
        self.modules = {"model": self.model}
        self.optimizers = self.build_optimizers()
        self._forward = self._train_forward()
        self._parameters = list(self.model.parameters())
        self._updates = [lean_step(optimizer) for optimizer in self.optimizers.values()]
        self._clip_norm = config.trainer.clip_norm

    def build_model(self) -> nn.Module:
        """The module to train, on the CPU."""
        return build_model(self.config.model, self.data)

    def build_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """What updates the module; empty if the task does that by hand."""
        return build_optimizers(self.config.optimizer, self.modules)

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """What a step makes smaller: a scalar of (N, outputs) and the batch's targets."""

    def evaluation_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """What an evaluation measures; `loss`, unless that has a part that only serves training."""
        return self.loss(outputs, targets)

    @property
    def loss_is_sum(self) -> bool:
        """Whether `loss` is summed over a batch instead of averaged."""
        return False

    def set_lr(self, lr: float) -> None:
        set_lr(self.optimizers.values(), lr)

    def train_step(self, inputs: Tensor, targets: Tensor) -> Observation:
        outputs = self._forward(inputs)
        loss = self.loss(outputs, targets)
        loss.backward()  # type: ignore[no-untyped-call] # torch has not typed it
        if self.guard is not None:
            self.check({"loss": loss}, self.modules)
        with torch.no_grad():
            if self._clip_norm:
                nn.utils.clip_grad_norm_(self._parameters, self._clip_norm)
            for update in self._updates:
                update()
        for parameter in self._parameters:
            parameter.grad = None
        return {"loss": loss.detach(), "outputs": outputs.detach(), "targets": targets}

    def evaluate(self, inputs: Tensor, targets: Tensor) -> Observation:
        with evaluating(self.model):
            outputs = self._cast_forward(self.model)(inputs)
            return {"loss": self.evaluation_loss(outputs, targets), "outputs": outputs, "targets": targets}

    def measure(self, observations: Sequence[Observation]) -> dict[str, Tensor]:
        return {key: numbers[0] for key, numbers in self.measure_rows([observations]).items()}

    def measure_rows(self, rows: Rows) -> dict[str, Tensor]:
        return {"loss": mean_losses(rows, self.loss_is_sum)}

    def predict(self, inputs: Tensor) -> Tensor:
        """(N, outputs) float32 on the CPU of prepared inputs (N, ...), in evaluation mode, for figures."""
        with evaluating(self.model):
            rows = min(ROWS_AT_ONCE, evaluation_rows(inputs, self.device))
            forward = self._cast_forward(self.model)
            parts = [forward(part.to(self.device)).float().cpu() for part in torch.split(inputs, rows)]
        return torch.cat(parts)

    def outputs_of(self, sample: Split) -> Tensor:
        """(N, outputs) float32 on the CPU of stored samples, in evaluation mode: those that are known, or predicted."""
        known = sample.outputs if isinstance(sample, Sample) else None
        return self.predict(self.data.prepare(sample.inputs)) if known is None else known.float().cpu()

    def feature_figures(self, sample: Split) -> list[Figure]:
        """What convolutions find in the first of stored samples; nothing where there are none."""
        with evaluating(self.model):
            figure = features_figure(self.data, self.model, sample)
        return [figure] if figure else []

    def _train_forward(self) -> Callable[[Tensor], Tensor]:
        forward: Callable[[Tensor], Tensor] = self.model
        if self.config.trainer.compile:
            forward = torch.compile(self.model)
        return self._cast_forward(forward)

    def _cast_forward(self, forward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """`forward` at the precision asked for; outputs are float32 in any case, since losses want it."""
        if self.config.trainer.precision == "fp32":
            return forward

        def forward_bf16(inputs: Tensor) -> Tensor:
            with torch.autocast(self.device.type, torch.bfloat16):
                outputs = forward(inputs)
            return outputs.float()

        return forward_bf16


def answered(outputs: Tensor, targets: Tensor) -> Tensor:
    """Which of (..., C) scores are highest for the right class (...). NaN is no answer, though it passes for a maximum:
    a network that gives nothing else must not look as good as one that always guesses the first class."""
    highest, guess = outputs.max(-1)
    return (guess == targets) & ~highest.isnan()

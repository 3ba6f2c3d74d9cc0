"""The Trainer of Hugging Face transformers, with a model and a data loader of one's own.

https://huggingface.co/docs/transformers/trainer: what it logs, saves, reports and clips by default is turned off.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any

import transformers
from torch import Tensor, nn

from benchmarks.loops import Trained, timed
from benchmarks.systems import Batches, System


class Model(nn.Module):
    """The system as the Trainer wants it: the loss is the model's own affair."""

    def __init__(self, system: System) -> None:
        super().__init__()
        self.model, self._system = system.model(), system

    def forward(self, inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Loss and outputs of one batch."""
        outputs = self.model(inputs)
        return {"loss": self._system.loss(outputs, labels), "logits": outputs}


class NamedBatches(Batches):
    """Batches as keyword arguments for the model."""

    def __iter__(self) -> Iterator[Any]:
        for inputs, targets in super().__iter__():
            yield {"inputs": inputs, "labels": targets}


class Trainer(transformers.Trainer):
    """The Trainer with resident batches."""

    def __init__(self, batches: Batches, **settings: Any) -> None:
        self._batches = batches
        super().__init__(**settings)

    def get_train_dataloader(self) -> Batches:
        """Asked for once, gone through once an epoch."""
        return self._batches


def train(system: System) -> Trained:
    """All epochs in one `Trainer.train()`."""
    transformers.logging.set_verbosity_error()
    clock, model = system.clock(), Model(system)
    with tempfile.TemporaryDirectory() as folder:
        settings = transformers.TrainingArguments(
            output_dir=folder,
            use_cpu=True,
            num_train_epochs=system.epochs,
            per_device_train_batch_size=system.batch_size,
            lr_scheduler_type="constant",
            max_grad_norm=0,
            disable_tqdm=True,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            logging_nan_inf_filter=False,
        )
        trainer = Trainer(
            NamedBatches(system, clock),
            model=model,
            args=settings,
            optimizers=(system.optimizer(model.parameters()), None),
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    return timed(clock, model.model)

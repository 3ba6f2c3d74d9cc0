"""Lightning's Trainer, and its `barebones` mode, made to measure the loop's own overhead.

Both log nothing, save nothing and show nothing: https://lightning.ai/docs/pytorch/stable/advanced/speed.html
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from typing import Any

import lightning
from torch import Tensor
from torch.optim import Optimizer

from benchmarks.loops import Trained, timed
from benchmarks.systems import Batches, System

QUIET: dict[str, Any] = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


class Module(lightning.LightningModule):
    """The system as Lightning wants it."""

    def __init__(self, system: System) -> None:
        super().__init__()
        self.model, self._system = system.model(), system

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss of one batch."""
        inputs, targets = batch
        return self._system.loss(self.model(inputs), targets)

    def configure_optimizers(self) -> Optimizer:
        """The one that the system has."""
        return self._system.optimizer(self.model.parameters())


def train(system: System) -> Trained:
    """The Trainer with its defaults, but for what costs time and was not asked for."""
    return _train(system, QUIET)


def train_barebones(system: System) -> Trained:
    """`Trainer(barebones=True)`."""
    return _train(system, {"barebones": True})


def _train(system: System, settings: dict[str, Any]) -> Trained:
    clock, module = system.clock(), Module(system)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            accelerator="cpu", devices=1, max_epochs=system.epochs, default_root_dir=folder, **settings
        )
        trainer.fit(module, train_dataloaders=Batches(system, clock))
    return timed(clock, module.model)

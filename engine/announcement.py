"""The first event of an engine: on what, and with what, it trains from here on."""

from __future__ import annotations

import os
import platform
import socket

import torch

from engine.batches import Batches
from engine.devices import device_name
from engine.events import RunStarted
from engine.keeper import Progress
from engine.tasks.base import Task


def announcement(task: Task, batches: Batches, at: Progress, metric: str) -> RunStarted:
    """What viewers have to know of a run that begins, or goes on, at `at`."""
    config, data = task.config, task.data
    return RunStarted(
        step=at.step,
        pid=os.getpid(),
        host=socket.gethostname() or platform.node(),
        device=str(task.device),
        device_name=device_name(task.device),
        threads=torch.get_num_threads(),
        torch=str(torch.__version__),
        parameters=task.parameter_count(),
        train_rows=len(data.train),
        val_rows=len(data.val) if data.val else 0,
        batch_size=batches.batch_size,
        steps_per_epoch=len(batches),
        epochs=config.trainer.epochs,
        metric=metric,
        higher_is_better=task.higher_is_better,
        elapsed_s=round(at.elapsed_s, 4),
        base_lr=at.base_lr if at.base_lr != config.optimizer.lr else None,
    )

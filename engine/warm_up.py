"""What the first steps of a process take long for, done before anybody waits for them."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from engine.batches import Batches
from engine.data import load_data
from engine.devices import default_threads
from engine.schema import validate
from engine.tasks import build_task

STEPS = 2
"""The second step of an optimizer takes another way than its first."""


def warm_up() -> None:
    """Validate a configuration and take a few steps of a small run on the CPU: that builds the validators and loads
    kernels. A run seeds what it draws from itself, so that nothing of it shows there. A GPU is left alone: it may be
    wanted by others as long as nothing is trained.

    It has a thread of its own, with which the team of threads that worked on its tensors comes to its end. OpenMP keeps
    a team for each thread that asks for one; once all teams together have more threads than there are cores, they wait
    asleep instead of awake, and a run beside an idle team had 0.4 of its speed.
    """
    with ThreadPoolExecutor(1, "warm-up") as thread:
        thread.submit(_take_steps).result()
    gc.collect()
    gc.freeze()  # what is left lives as long as the process


def _take_steps() -> None:
    config = validate({"task": {"kind": "classification"}, "data": {"kind": "spiral"}, "model": {"kind": "mlp"}})
    device = torch.device("cpu")
    torch.set_num_threads(default_threads())
    task = build_task(config, load_data(config.data, config.trainer.seed, Path()), device)
    task.set_lr(config.optimizer.lr)
    batches = Batches(task.data, config.trainer.batch_size, config.trainer.seed, shuffle=True)
    for _, (inputs, targets) in zip(range(STEPS), batches.epoch(0), strict=False):
        task.measure([task.train_step(inputs, targets)])

"""What the training thread does: set itself up, train, and say how it ended."""

from __future__ import annotations

import os
import random
import threading
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch

from engine.batch_search import free_memory, is_out_of_memory, largest_batch_that_fits
from engine.data import load_data
from engine.devices import default_threads, resolve_device
from engine.diagnosis import diagnose
from engine.due import Due
from engine.events import Publish, RunFailed
from engine.inbox import Inbox
from engine.placing import placed
from engine.run_folder import RunFolder
from engine.schema import RunConfig
from engine.schema.trainer import Trainer as Settings
from engine.tasks import Task, build_task
from engine.telling import told_of
from engine.trainer import Trainer


class Worker:
    """Trains one run in the thread that calls `work`. Random states and torch's settings are the process's own, so
    one process trains one run at a time.

    Args:
        config: What to train.
        folder: The run's folder.
        data_dir: Where data sets lie.
        inbox: Commands to obey.
        publish: Takes events, in order; must not block.
        wait_until_logged: See `engine.keeper.Keeper`.
        script: Commands to obey at given steps.
    """

    def __init__(
        self,
        config: RunConfig,
        folder: RunFolder,
        data_dir: Path,
        inbox: Inbox,
        publish: Publish,
        wait_until_logged: Callable[[], int | None] = lambda: 0,
        script: Iterable[Due] = (),
    ) -> None:
        self._config, self._folder, self._data_dir = config, folder, data_dir
        self._inbox, self._publish = inbox, publish
        self._wait_until_logged, self._script = wait_until_logged, script
        self._trainer: Trainer | None = None
        self._task: Task | None = None

        self._abandoned = self._is_over = False
        self._guard = threading.Lock()
        self.device: torch.device | None = None
        """Where it computes, once that is known."""

    @property
    def paused(self) -> bool:
        """Whether training waits; readable from any thread."""
        return self._trainer is not None and self._trainer.paused

    def abandon(self) -> bool:
        """Give the run up while its data is still being loaded, which may take long; callable from any thread.

        Returns:
            Whether it was given up. If not, training has begun, and a command will stop it.
        """
        with self._guard:
            self._abandoned = self._trainer is None and not self._is_over
            return self._abandoned

    @property
    def step(self) -> int:
        """Steps taken so far; readable from any thread."""
        return self._trainer.step if self._trainer else 0

    def work(self) -> None:
        """Train to the end. Whatever goes wrong becomes the run's last event; nothing is raised."""
        try:
            trainer = self._prepare()
            with self._guard:
                if self._abandoned:
                    return
                self._trainer = trainer
            trainer.run()
        except BaseException as error:  # the boundary of the run: its failure is an event, even a user's sys.exit
            failure = self._failure(error)
            with self._guard:
                self._is_over = True
                if not self._abandoned:
                    self._publish(failure)

    def _failure(self, error: BaseException) -> RunFailed:
        size, fits = self._config.trainer.batch_size, None
        batch_size = size if isinstance(size, int) else None
        if self._task is not None and is_out_of_memory(error):
            rows = len(self._task.data.train)
            batch_size = min(batch_size or rows, rows)
            if self._trainer is not None:
                self._trainer.free_memory()
            free_memory(error, self._task)
            fits = largest_batch_that_fits(self._task, batch_size)
        found = diagnose(error, batch_size, fits)
        return RunFailed(step=self.step, **found._asdict())

    def _prepare(self) -> Trainer:
        config, settings = self._config, self._config.trainer
        device = self.device = resolve_device("cpu" if config.task.kind == "classification-numpy" else settings.device)
        configure_torch(settings, device)
        seed_everything(settings.seed)
        with told_of(self._publish):
            data = placed(load_data(config.data, settings.seed, self._data_dir).digested(), device)
        self._task = task = build_task(config, data, device)
        return Trainer(
            config, task, device, self._folder, self._inbox, self._publish, self._wait_until_logged, self._script
        )


def configure_torch(settings: Settings, device: torch.device) -> None:
    """Set what torch keeps per thread or per process. Must run in the thread that trains."""
    torch.set_num_threads(settings.threads or default_threads())
    # a run that has converged fills with denormal numbers, and a CPU takes five times as long over those
    torch.set_flush_denormal(True)
    if torch.are_deterministic_algorithms_enabled() != settings.deterministic:  # setting it costs a second of imports
        torch.use_deterministic_algorithms(settings.deterministic)
    if device.type == "cuda":
        # without it torch before 2.12 refuses to multiply matrices in deterministic runs, and looks only once
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # torch 2.9 announces other names
            torch.set_float32_matmul_precision("highest" if settings.deterministic else "high")
        torch.cuda.set_device(device)
        torch.backends.cudnn.benchmark = not settings.deterministic


def seed_everything(seed: int) -> None:
    """Start every random state a model, a task or a user's own code may draw from."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)

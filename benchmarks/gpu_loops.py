"""Loops that the GPU benchmark times: by hand, as a graph, Lightning's, and dltui's."""

from __future__ import annotations

import math
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import chain, count
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import tomlkit
import torch
from torch import Tensor

from benchmarks.hand_steps import Step, graphed, make_step
from benchmarks.terminal import DLTUI, Pty
from engine import events as ev
from engine.batches import Batches
from engine.data import DataBundle, load_data
from engine.devices import resolve_device
from engine.run_folder import find_run
from engine.schema import RunConfig, overlay, validate
from engine.tasks import build_task
from engine.worker import configure_torch
from presets import load_preset

WARM_UP = 30
"""Steps of a loop by hand that don't count: libraries choose their kernels in the first."""
HAND_S = 2.0
"""A loop by hand is timed for so long."""
RUN_S, SETTLED_S = 8.0, 2.0
"""A run of dltui takes so long at the speed of the fastest loop; what it does before it has settled, which is to choose
kernels, to capture its step and to be found by the screen, doesn't count."""


class System(NamedTuple):
    """What is measured of a preset."""

    preset: str
    over: dict[str, Any] = {}


class Workload:
    """A preset's configuration, with its data on the device."""

    def __init__(self, system: System, device: str, data_folder: Path) -> None:
        tree = overlay(load_preset(system.preset).tree, system.over)
        self.name, self.data_folder = system.preset, data_folder
        self.config: RunConfig = validate(overlay(tree, {"trainer": {"device": device, "log_every": 0}}))
        self.device = resolve_device(device)
        settings = self.config.trainer
        loaded = load_data(self.config.data, settings.seed, data_folder).to(self.device)
        # a task may want its pictures otherwise, as a GAN does
        self.data: DataBundle = build_task(self.config, loaded, self.device).data
        self.batches = Batches(self.data, settings.batch_size, settings.seed, settings.shuffle, self.device)
        self.fastest = 0.0
        """Steps per second of the fastest loop by hand so far."""

    def synchronize(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


class _Timer:
    """Steps per second of whoever says when a step begins."""

    def __init__(self, work: Workload) -> None:
        self._work = work
        self._steps, self._began_s = 0, math.inf
        self.steps_per_s = 0.0
        """Of all steps but the first, once there have been enough."""

    def begin_step(self) -> bool:
        """Count one more step; False if there have been enough."""
        if self._steps == WARM_UP:
            self._work.synchronize()
            self._began_s = time.perf_counter()
        if time.perf_counter() - self._began_s <= HAND_S or self._steps == WARM_UP:
            self._steps += 1
            return True
        if not self.steps_per_s:
            self._work.synchronize()
            self.steps_per_s = (self._steps - WARM_UP) / (time.perf_counter() - self._began_s)
            self._work.fastest = max(self._work.fastest, self.steps_per_s)
        return False


def eager(work: Workload) -> float:
    """Steps per second of a bare loop."""
    return _by_hand(work, lambda step: step)


def as_graph(work: Workload) -> float:
    """Steps per second of a bare loop around a step that was captured by hand."""
    return _by_hand(work, lambda step: graphed(step, *next(iter(work.batches.epoch(0)))))


def _by_hand(work: Workload, made_of: Callable[[Step], Step]) -> float:
    configure_torch(work.config.trainer, work.device)
    step = made_of(make_step(work.config, work.data, work.device)[0])
    timer = _Timer(work)
    for inputs, targets in chain.from_iterable(map(work.batches.epoch, count())):
        if not timer.begin_step():
            break
        step(inputs, targets)
    return timer.steps_per_s


def lightning(work: Workload) -> float:
    """Steps per second of `lightning.Trainer` around the same step, in manual optimization, which is the only one that
    both a classifier and a GAN know, and spares it its own optimizer's wrapping."""
    import lightning as pl

    configure_torch(work.config.trainer, work.device)
    step, module = make_step(work.config, work.data, work.device)
    timer = _Timer(work)

    class Module(pl.LightningModule):
        automatic_optimization = False

        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
            if timer.begin_step():
                step(*batch)
            else:
                self.trainer.should_stop = True

        def configure_optimizers(self) -> None:
            """The step has its own."""

    class Loader:
        epoch = -1

        def __len__(self) -> int:
            return len(work.batches)

        def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
            self.epoch += 1
            return work.batches.epoch(self.epoch)

    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    accelerator = "gpu" if work.device.type == "cuda" else "cpu"
    trainer = pl.Trainer(accelerator=accelerator, devices=1, max_epochs=-1, **quiet)
    trainer.fit(Module(), train_dataloaders=Loader())
    return timer.steps_per_s


def dltui(work: Workload, with_screen: bool, settled_s: float = SETTLED_S) -> float:
    """Steps per second of a run in a process of its own, once it has settled, to its end; with the screen a terminal of
    140 x 45 shows it live. A run takes about `RUN_S`, by the fastest loop by hand that was timed.

    Raises:
        RuntimeError: the run did not finish, or its end came before it had settled.
    """
    epochs = max(1, math.ceil(RUN_S * work.fastest / len(work.batches)))
    config = overlay(work.config.model_dump(mode="json"), {"trainer": {"epochs": epochs}})
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        runs, preset = Path(folder) / "runs", Path(folder) / "measured.toml"
        preset.write_text(tomlkit.dumps(config))
        places = ["--runs", str(runs), "--data", str(work.data_folder)]
        # not a pipe: nobody reads while it trains, and a full one would hold it up
        errors = stack.enter_context((Path(folder) / "errors.txt").open("w+b"))
        training = subprocess.Popen(
            [*DLTUI, *places, "train", str(preset), "--name", "measured"], stdout=subprocess.DEVNULL, stderr=errors
        )
        stack.callback(training.kill)  # it must not train on beside the next loop
        if with_screen:
            while not (runs / "measured" / "events.jsonl").exists() and training.poll() is None:
                time.sleep(0.02)
            screen = stack.enter_context(Pty([*DLTUI, *places, "attach", "measured"]))
            while training.poll() is None:
                screen.watch(0.2)
        training.wait()
        told = list(find_run(runs, "measured").read_events().read_all()) if (runs / "measured").exists() else []
        end = told[-1] if told else None
        if not isinstance(end, ev.RunFinished):
            raise RuntimeError(f"{work.name} did not finish: {_end_of(errors)}")
        first = _settled(told, settled_s, end.step)
        if first is None:
            raise RuntimeError(f"{work.name} was over in {end.elapsed_s:.1f} s, before it had settled")
        return (end.step - first.step) / (end.elapsed_s - first.elapsed_s)


def _settled(told: Iterable[ev.AnyEvent], settled_s: float, last_step: int) -> ev.EpochEnded | ev.MetricsLogged | None:
    """Where to measure from: the first evaluation after `settled_s`, by when the device was through with all steps so
    far. A row tells when the host was, and is taken where no evaluation is left but that of the end."""
    settled = [
        event
        for event in told
        if isinstance(event, (ev.EpochEnded, ev.MetricsLogged))
        if event.elapsed_s >= settled_s and event.step < last_step
    ]
    return next((event for event in settled if isinstance(event, ev.EpochEnded)), settled[0] if settled else None)


def _end_of(file: BinaryIO) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 300))
    return file.read().decode(errors="replace")

"""dltui on a CUDA GPU against hand-written loops, a hand-captured graph and Lightning.

    python -m benchmarks.gpu [--data DIR] [--repeats 5] [--only mnist-mlp spiral-relu] [--device cuda]

All train the same model on the same batches, which lie on the device, in turns. The hand-written loops do nothing but
train; dltui logs, evaluates, draws and saves, in a process of its own as it always does, and all of that counts. The
table goes to standard output and to docs/benchmarks.md. What can't be measured here is left blank.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import tomlkit
import torch
from torch import Tensor

from benchmarks.hand_steps import graphed, make_step
from benchmarks.tables import in_turns, keep, ratio
from benchmarks.terminal import DLTUI, Pty
from engine import events as ev
from engine.batches import Batches
from engine.data import DataBundle, DataError, load_data
from engine.devices import device_name, resolve_device
from engine.places import data_dir
from engine.run_folder import find_run
from engine.run_state import RunState
from engine.schema import RunConfig, overlay, validate
from engine.tasks import build_task
from engine.worker import configure_torch
from presets import load_preset

WARM_UP = 30
"""Steps that don't count: libraries choose their kernels in the first."""
EAGER, GRAPH, LIGHTNING, OURS, WITH_SCREEN = "eager loop", "graphed loop", "Lightning", "dltui", "dltui with the screen"


class System(NamedTuple):
    """What is measured of a preset."""

    preset: str
    epochs: int
    over: dict[str, Any] = {}


SYSTEMS = (
    System("spiral-relu", 10_000),
    System("mnist-mlp", 8),
    System("fashion-mlp", 8),
    System("mnist-cnn", 5),
    System(
        "cifar10-cnn",
        30,
        {
            "data": {"kind": "image-folder", "path": "cifar10_subset", "size": 32, "flip": True, "rotate": 10},
            "trainer": {"precision": "bf16"},
        },
    ),
    System("dcgan", 20),
    System("imdb-lstm", 2),
)


class Workload:
    """A preset's configuration, with its data on the device."""

    def __init__(self, system: System, device: str, data_folder: Path) -> None:
        trainer = {"device": device, "epochs": system.epochs, "log_every": 0}
        tree = overlay(load_preset(system.preset).tree, system.over)
        self.name, self.data_folder = system.preset, data_folder
        self.config: RunConfig = validate(overlay(tree, {"trainer": trainer}))
        self.device = resolve_device(device)
        settings = self.config.trainer
        loaded = load_data(self.config.data, settings.seed, data_folder).to(self.device)
        # a task may want its pictures otherwise, as a GAN does
        self.data: DataBundle = build_task(self.config, loaded, self.device).data
        self.batches = Batches(self.data, settings.batch_size, settings.seed, settings.shuffle, self.device)

    def all_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Those of the whole run."""
        for epoch in range(self.config.trainer.epochs):
            yield from self.batches.epoch(epoch)

    def synchronize(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def hand_written(work: Workload, wrap: Callable[..., Any] | None) -> float:
    """Steps per second of a bare loop around a step, or around what `wrap` makes of it."""
    configure_torch(work.config.trainer, work.device)
    step, _ = make_step(work.config, work.data, work.device)
    if wrap is not None:
        step = wrap(step, *next(iter(work.batches.epoch(0))))
    steps, began_s = 0, 0.0
    for inputs, targets in work.all_batches():
        if steps == WARM_UP:
            work.synchronize()
            began_s = time.perf_counter()
        step(inputs, targets)
        steps += 1
    work.synchronize()
    return (steps - WARM_UP) / (time.perf_counter() - began_s)


def lightning(work: Workload) -> float:
    """Steps per second of `lightning.Trainer` around the same step, in manual optimization, which is the only one that
    both a classifier and a GAN know, and spares it its own optimizer's wrapping."""
    import lightning as pl

    configure_torch(work.config.trainer, work.device)
    step, module = make_step(work.config, work.data, work.device)

    class Module(pl.LightningModule):
        automatic_optimization = False

        def __init__(self) -> None:
            super().__init__()
            self.module = module
            self.steps, self.began_s = 0, 0.0

        def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
            if self.steps == WARM_UP:
                work.synchronize()
                self.began_s = time.perf_counter()
            step(*batch)
            self.steps += 1

        def configure_optimizers(self) -> None:
            """The step has its own."""

    class Loader:
        epoch = -1

        def __len__(self) -> int:
            return len(work.batches)

        def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
            self.epoch += 1
            return work.batches.epoch(self.epoch)

    running = Module()
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    accelerator = "gpu" if work.device.type == "cuda" else "cpu"
    trainer = pl.Trainer(accelerator=accelerator, devices=1, max_epochs=work.config.trainer.epochs, **quiet)
    trainer.fit(running, train_dataloaders=Loader())
    work.synchronize()
    return (running.steps - WARM_UP) / (time.perf_counter() - running.began_s)


def dltui(work: Workload, with_screen: bool) -> float:
    """Steps per second of a run in a process of its own, from its first step to its end; with the screen a terminal of
    140 x 45 shows it live.

    Raises:
        RuntimeError: the run did not finish.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        runs, preset = Path(folder) / "runs", Path(folder) / "measured.toml"
        preset.write_text(tomlkit.dumps(work.config.model_dump(mode="json")))
        places = ["--runs", str(runs), "--data", str(work.data_folder)]
        # not a pipe: nobody reads while it trains, and a full one would hold it up
        errors = stack.enter_context((Path(folder) / "errors.txt").open("w+b"))
        training = subprocess.Popen(
            [*DLTUI, *places, "train", str(preset), "--name", "measured"], stdout=subprocess.DEVNULL, stderr=errors
        )
        if with_screen:
            while not (runs / "measured" / "events.jsonl").exists() and training.poll() is None:
                time.sleep(0.02)
            screen = stack.enter_context(Pty([*DLTUI, *places, "attach", "measured"]))
            while training.poll() is None:
                screen.watch(0.2)
        training.wait()
        state = RunState()
        if (runs / "measured").exists():
            state.apply_all(find_run(runs, "measured").read_events().read_all())
        if not isinstance(state.ending, ev.RunFinished):
            raise RuntimeError(f"{work.name} did not finish: {_end_of(errors)}")
        return state.step / state.elapsed_s


def _end_of(file: BinaryIO) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 300))
    return file.read().decode(errors="replace")


def measure(work: Workload, repeats: int) -> list[str]:
    """A row of the table."""
    runs: dict[str, Callable[[], float]] = {
        EAGER: lambda: hand_written(work, None),
        GRAPH: lambda: hand_written(work, graphed),
        LIGHTNING: lambda: lightning(work),
        OURS: lambda: dltui(work, with_screen=False),
        WITH_SCREEN: lambda: dltui(work, with_screen=True),
    }
    left_out = {name: reason for name in runs if (reason := _obstacle(name, work))}
    speeds = in_turns({name: run for name, run in runs.items() if name not in left_out}, repeats)

    def times(name: str, other: str) -> str:
        return f"{ratio(speeds[name], speeds[other]):.2f}" if name in speeds and other in speeds else ""

    return [
        work.name,
        f"{statistics.median(speeds[EAGER]):,.0f}",
        times(GRAPH, EAGER),
        times(LIGHTNING, EAGER),
        times(OURS, EAGER),
        times(OURS, GRAPH),
        times(WITH_SCREEN, OURS),
    ]


def _obstacle(name: str, work: Workload) -> str:
    if name == GRAPH and work.device.type != "cuda":
        return "there are no CUDA graphs here"
    if name == LIGHTNING:
        try:
            import lightning  # noqa: F401
        except ImportError:
            return "not installed"
    return ""


def main() -> None:
    """Measure what was asked for, and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--data", type=Path, default=data_dir())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[system.preset for system in SYSTEMS])
    arguments = parser.parse_args()
    rows = []
    for system in SYSTEMS:
        if system.preset not in arguments.only:
            continue
        try:
            rows.append(measure(Workload(system, arguments.device, arguments.data), arguments.repeats))
        except (DataError, RuntimeError) as error:  # what one lacks must not cost the others' figures
            rows.append([system.preset, f"not measured: {error}", "", "", "", "", ""])
        print(" | ".join(rows[-1]), flush=True)
    keep(
        "gpu",
        "On a CUDA GPU",
        f"The same model, batches and optimizer; medians of {arguments.repeats} rounds in turns. Goals: 5 x eager for "
        "spiral-relu and mnist-mlp, 0.95 of the graphed loop, and 0.98 with the screen.",
        [
            "preset",
            "eager loop, steps/s",
            "graphed / eager",
            "Lightning / eager",
            "dltui / eager",
            "dltui / graphed",
            "with the screen / without",
        ],
        rows,
        device_name(resolve_device(arguments.device)),
    )


if __name__ == "__main__":
    main()

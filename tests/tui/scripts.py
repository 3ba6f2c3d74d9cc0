"""Runs and presets that tests of the UI are played with."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.geometry import Region
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input

from engine import events as ev
from engine.run_folder import RunFolder, create_run
from presets import load_preset
from tui.launcher import HostDeath
from tui.run_shelf import RunShelf, Shelf
from tui.screens.home import HomeScreen
from tui.widgets.form_field import FormField

NOW = 1_800_000_000.0
SHORT_WORK = ("runs", "preview", "size", "files", "places")
"""Groups of workers that end by themselves."""
STEPS_PER_EPOCH = 23
EPOCHS = 30

PRESETS = {
    "linear-regression": """
title = "y = 2x"
teaches = "Gradient descent finds the line through three points: watch w and b settle."
group = "Regression"
[task]
kind = "regression"
loss = "mse-sum"
[data]
kind = "points"
[model]
kind = "linear"
[optimizer]
kind = "sgd"
lr = 0.01
[trainer]
batch_size = "full"
epochs = 1000
""",
    "weight-decay": """
title = "Weight decay, on"
teaches = "With more features than rows, pulling weights towards zero is what keeps a model honest."
group = "Regression"
[task]
kind = "regression"
loss = "half-mse"
[data]
kind = "high-dimensional"
[model]
kind = "linear"
init = "normal"
[optimizer]
kind = "sgd"
lr = 0.003
weight_decay = 3.0
decay = "weights"
[trainer]
batch_size = 1
epochs = 100
""",
    "logistic-tabular": """
title = "Tumours, benign or malignant"
teaches = "One linear layer on thirty measurements decides well, once they are standardised."
group = "Classification"
[task]
kind = "binary-classification"
[data]
kind = "csv"
path = "tabular/diabetes.csv.gz"
[model]
kind = "linear"
[optimizer]
kind = "sgd"
lr = 0.1
[trainer]
batch_size = 32
epochs = 100
""",
    "spiral-relu": """
title = "Spiral, with ReLU"
teaches = "One non-linearity turns three straight cuts into three curled regions."
group = "Classification"
[data]
kind = "spiral"
[model]
kind = "mlp"
hidden = [100]
[optimizer]
kind = "adam"
weight_decay = 1e-5
[trainer]
batch_size = "full"
epochs = 1000
""",
    "digits-mlp": """
title = "Digits, 8 by 8"
teaches = "A small network reads real handwriting: watch the confusion matrix clear, and see what it still gets wrong."
group = "Classification"
[data]
kind = "digits"
[model]
kind = "mlp"
hidden = [128]
[optimizer]
kind = "adam"
[trainer]
epochs = 30
""",
}


class FakeLauncher:
    """A launcher that starts nothing."""

    def __init__(self) -> None:
        self.spawned: list[Path] = []
        self.dead: list[HostDeath] = []
        self.refusal: OSError | None = None
        self.closed = False

    def warm_up(self) -> None:
        """Nothing to warm."""

    def spawn(self, folder: RunFolder) -> int:
        """Note what was to be trained."""
        if self.refusal is not None:
            raise self.refusal
        self.spawned.append(folder.path)
        return 1

    def training(self) -> list[RunFolder]:
        """Nothing is."""
        return []

    def deaths(self) -> list[HostDeath]:
        """What the test has put into `dead`, once."""
        deaths, self.dead = self.dead, []
        return deaths

    def close(self) -> None:
        """Note that the UI let go."""
        self.closed = True


async def settled(pilot: Pilot[Any], *keys: str) -> HomeScreen:
    """Home, once its lists are filled; then `keys` are pressed, as by `press`."""
    home = pilot.app.screen
    assert isinstance(home, HomeScreen)
    await until(lambda: home.is_settled)
    await press(pilot, *keys)
    await until(lambda: home.is_settled)
    await pilot.pause()
    return home


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press `keys` and wait for what they brought about. `@optimizer.lr` goes to that field of the form."""
    for key in keys:
        if key.startswith("@"):
            pilot.app.screen.set_focus(field_of(pilot, key[1:]).editor)
        else:
            await pilot.press(key)
    await pilot.pause()
    await until(lambda: not any(worker.is_running and worker.group in SHORT_WORK for worker in pilot.app.workers))
    for line in pilot.app.screen.query(Input):
        line.cursor_blink = False
    await pilot.pause()


def field_of(pilot: Pilot[Any], path: str) -> FormField:
    """The form's field at `path`."""
    return next(field for field in pilot.app.screen.query(FormField) if field.spec.path == path)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds.

    Raises:
        AssertionError: it does not after ten seconds.
    """
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("still waiting after 10 s")


def slow_disk(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """No run can be read until this is set."""
    disk, read = threading.Event(), RunShelf.read

    def slow(shelf: RunShelf, limit: int, words: Sequence[str] = ()) -> Shelf:
        assert disk.wait(20)
        return read(shelf, limit, words)

    monkeypatch.setattr(RunShelf, "read", slow)
    return disk


def write_run(runs: Path, name: str, status: str, preset: str, epoch: int, age_s: float) -> RunFolder:
    """A run that got as far as `epoch` and ended `age_s` ago in `status`; a run that goes on wants to be locked."""
    folder = create_run(runs, load_preset(preset).config, Path("data"), name)
    lines = [ev.encode(event) for event in _script(status, epoch, NOW - age_s)]
    log = folder.path / "events.jsonl"
    log.write_bytes(b"".join(line + b"\n" for line in lines))
    os.utime(log, (NOW - age_s, NOW - age_s))
    return folder


def _script(status: str, epoch: int, ended_at: float) -> list[ev.AnyEvent]:
    if status == "starting":
        return []
    began_at = ended_at - epoch
    script: list[ev.AnyEvent] = [
        ev.RunStarted(
            step=0,
            at=began_at,
            pid=4711,
            host="box",
            device="cpu",
            device_name="a scripted CPU",
            threads=1,
            torch="2.9.0",
            parameters=9610,
            train_rows=1437,
            val_rows=360,
            batch_size=64,
            steps_per_epoch=STEPS_PER_EPOCH,
            epochs=EPOCHS,
            metric="val/accuracy",
            higher_is_better=True,
        )
    ]
    for done in range(1, epoch + 1):
        step, at, losses = done * STEPS_PER_EPOCH, began_at + done, {"train/loss": 2 / done, "train/accuracy": 0.9}
        script.append(ev.MetricsLogged(step=step, at=at, steps=23, elapsed_s=done, lr=0.001, values=losses))
        values = {"val/loss": 2.2 / done, "val/accuracy": 1 - 0.9 / (done + 1)}
        script.append(ev.Evaluated(step=step, at=at, epoch=done, elapsed_s=done, values=values))
        script.append(ev.EpochEnded(step=step, at=at, epoch=done, elapsed_s=done))
    step = epoch * STEPS_PER_EPOCH
    saved = ev.CheckpointSaved(step=step, at=ended_at, folder="checkpoints/last", reason="schedule", took_s=0.01)
    endings: dict[str, list[ev.AnyEvent]] = {
        "paused": [ev.RunPaused(step=step, at=ended_at)],
        "finished": [ev.RunFinished(step=step, at=ended_at, elapsed_s=epoch)],
        "stopped": [ev.RunStopped(step=step, at=ended_at, elapsed_s=epoch, reason="asked")],
        "failed": [
            ev.RunFailed(
                step=step,
                at=ended_at,
                error="loss is not finite at step 47 (learning rate 0.5)",
                cure="lower optimizer.lr, for instance to 0.05, or set trainer.clip_norm to 1",
            )
        ],
    }
    return [*script, saved, *endings.get(status, [])]


def text_of(widget: Widget) -> str:
    """What stands inside a widget's border, as text, without blank lines."""
    strips = widget.render_lines(Region(0, 0, widget.outer_size.width, widget.outer_size.height))
    lines = [strip.text for strip in strips]
    if widget.styles.border_top[0]:
        lines = [line[1:-1] for line in lines[1:-1]]
    return "\n".join(line.strip() for line in lines if line.strip())

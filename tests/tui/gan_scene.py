"""A GAN in the middle of its run, with the pictures of past epochs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from engine import events as ev
from engine.figures import Figure, save_figure
from engine.run_folder import RunFolder
from tests.tui import scripted as s

GAN: dict[str, Any] = {
    "preset": "dcgan-mnist",
    "title": "Digits out of noise, by two networks",
    "task": {"kind": "gan"},
    "data": {"kind": "mnist"},
    "model": {"kind": "dcgan"},
    "optimizer": {"kind": "adam"},
    "trainer": {"batch_size": 128, "epochs": 5},
}
PER_EPOCH, EPOCHS_DONE, STEPS = 469, 3, 1600
NOW = s.BEGAN_AT + 40


def gan(runs: Path) -> tuple[RunFolder, float]:
    """A run in its fourth epoch."""
    folder = s.make_run(runs, "dcgan-mnist-1", GAN)
    s.write_events(folder, [begun(), *rows(STEPS)])
    for epoch in range(EPOCHS_DONE + 1):
        keep(folder, epoch)
    draw_live(folder, STEPS)
    s.write_events(folder, [s.heartbeat(STEPS, NOW)])
    return folder, NOW


def begun() -> ev.RunStarted:
    """The engine took the run."""
    return s.started(
        parameters=898_304,
        train_rows=60_000,
        val_rows=10_000,
        batch_size=128,
        steps_per_epoch=PER_EPOCH,
        epochs=5,
        metric="",
        higher_is_better=False,
    )


def rows(steps: int) -> list[ev.AnyEvent]:
    """Two networks, neither of which wins."""
    rng = np.random.default_rng(5)
    events: list[ev.AnyEvent] = []
    for step in range(8, steps + 1, 8):
        sway, noise = np.sin(step / 130), rng.standard_normal(4)
        values = {
            "train/loss_d": float(0.75 + 0.2 * sway + 0.06 * noise[0] + np.exp(-step / 60)),
            "train/loss_g": float(1.9 - 0.5 * sway + 0.15 * noise[1] - np.exp(-step / 90)),
            "train/d_real": float(0.76 - 0.05 * sway + 0.02 * noise[2]),
            "train/d_fake": float(0.22 + 0.08 * sway + 0.02 * noise[3] + 0.2 * np.exp(-step / 60)),
        }
        at, elapsed_s = s.BEGAN_AT + step / 40, step / 40
        events.append(ev.MetricsLogged(step=step, at=at, steps=8, elapsed_s=elapsed_s, lr=2e-4, values=values))
        if step // PER_EPOCH > (step - 8) // PER_EPOCH:
            epoch = step // PER_EPOCH
            held_out = {"val/loss_d": values["train/loss_d"] + 0.08, "val/d_real": values["train/d_real"] - 0.03}
            events.append(ev.Evaluated(step=step, at=at, epoch=epoch, elapsed_s=elapsed_s, values=held_out))
    return events


def keep(folder: RunFolder, epoch: int) -> None:
    """Tell of the picture that is kept of `epoch`."""
    _tell(folder, epoch * PER_EPOCH, min(1.0, epoch / 4), epoch)


def draw_live(folder: RunFolder, step: int) -> None:
    """Tell of the newest picture."""
    _tell(folder, step, min(1.0, step / (4 * PER_EPOCH)), None)


def _tell(folder: RunFolder, step: int, sharpness: float, epoch: int | None) -> None:
    figure = samples(sharpness)
    event = ev.FigureDrawn(
        step=step,
        at=s.BEGAN_AT + step / 40,
        name=figure.name,
        kind=figure.kind,
        title=figure.title,
        file=f"figures/{save_figure(folder.figures, figure, epoch)}",
        epoch=epoch,
    )
    s.write_events(folder, [event])


def samples(sharpness: float) -> Figure:
    """64 strokes that stand out of the noise the more, the greater `sharpness` is, from 0 to 1."""
    noise = np.random.default_rng(9).integers(0, 256, (64, 28, 28))
    images = sharpness * _strokes() + (1 - sharpness) * noise
    arrays = {"titles": np.array(["from noise that stays the same"]), "images_0": images.astype(np.uint8)}
    return Figure("samples", "gallery", "Samples", arrays)


@cache
def _strokes() -> np.ndarray[Any, Any]:
    return s.digit_pictures(64, 28)

"""Runs as an engine would have written them, for tests of the run screen: events, figures, and a clock that stands."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine import events as ev
from engine.figures import Figure, save_figure
from engine.run_folder import RunFolder, create_run
from engine.schema import validate

BEGAN_AT = 1_800_000_000.0

SPIRAL: dict[str, Any] = {
    "preset": "spiral-relu",
    "title": "Spiral, with ReLU",
    "data": {"kind": "spiral"},
    "model": {"kind": "mlp", "hidden": [100]},
    "optimizer": {"kind": "adam"},
    "trainer": {"batch_size": "full", "epochs": 1000},
}
DIGITS: dict[str, Any] = {
    "preset": "digits-mlp",
    "title": "Digits, 8 by 8",
    "data": {"kind": "digits"},
    "model": {"kind": "mlp", "hidden": [128]},
    "optimizer": {"kind": "adam"},
    "trainer": {"batch_size": 64, "epochs": 30},
}
LINE: dict[str, Any] = {
    "preset": "linear-regression",
    "title": "y = 2x",
    "task": {"kind": "regression", "loss": "mse-sum"},
    "data": {"kind": "points"},
    "model": {"kind": "linear"},
    "trainer": {"batch_size": "full", "epochs": 1000},
}


def make_run(runs: Path, name: str, config: dict[str, Any]) -> RunFolder:
    """An empty run folder that looks as old as the scripted clock says."""
    folder = create_run(runs, validate(config), Path("data"), name)
    os.utime(folder.path / "config.toml", (BEGAN_AT, BEGAN_AT))
    return folder


def write_events(folder: RunFolder, events: Iterable[ev.AnyEvent], damage: bytes = b"") -> None:
    """Append `events`, and then `damage` as it is."""
    with (folder.path / "events.jsonl").open("ab") as file:
        file.write(b"".join(ev.encode(event) + b"\n" for event in events) + damage)


def started(step: int = 0, **changes: Any) -> ev.RunStarted:
    """The engine took the run."""
    values: dict[str, Any] = {
        "step": step,
        "at": BEGAN_AT,
        "pid": 4711,
        "host": "box",
        "device": "cuda:0",
        "device_name": "NVIDIA H200",
        "threads": 8,
        "torch": "2.9.0",
        "parameters": 603,
        "train_rows": 3000,
        "val_rows": 600,
        "batch_size": 3000,
        "steps_per_epoch": 1,
        "epochs": 1000,
        "metric": "val/accuracy",
        "higher_is_better": True,
    }
    return ev.RunStarted(**{**values, **changes})


def classifier_events(steps: int, every: int, eval_every: int, per_epoch: int, rate: float) -> list[ev.AnyEvent]:
    """Rows of a classifier that learns, with noise that is always the same; `rate` is in steps per second."""
    rng = np.random.default_rng(7)
    events: list[ev.AnyEvent] = []
    for step in range(every, steps + 1, every):
        elapsed_s, shape = step / rate, np.exp(-4 * step / steps)
        loss = 1.05 * shape + 0.12 + 0.06 * rng.standard_normal() * (shape + 0.15)
        accuracy = min(1.0, 0.96 - 0.58 * shape + 0.01 * rng.standard_normal())
        values = {"train/loss": float(max(loss, 0.02)), "train/accuracy": float(accuracy)}
        at = BEGAN_AT + elapsed_s
        events.append(ev.MetricsLogged(step=step, at=at, steps=every, elapsed_s=elapsed_s, lr=0.001, values=values))
        if step % eval_every == 0:
            held_out = {"val/loss": float(1.02 * shape + 0.19), "val/accuracy": float(0.94 - 0.57 * shape)}
            epoch = step // per_epoch
            events.append(ev.Evaluated(step=step, at=at, epoch=epoch, elapsed_s=elapsed_s, values=held_out))
        if step % per_epoch == 0:
            events.append(ev.EpochEnded(step=step, at=at, epoch=step // per_epoch, elapsed_s=elapsed_s))
    return events


def heartbeat(step: int, at: float) -> ev.Heartbeat:
    """The engine is alive."""
    return ev.Heartbeat(
        step=step, at=at, memory_bytes=1_240_000_000, cpu_percent=104.0, gpu_memory_bytes=512_000_000, gpu_percent=38.0
    )


def draw(folder: RunFolder, step: int, at: float, figures: Sequence[Figure]) -> list[ev.FigureDrawn]:
    """Store `figures`, and tell of them."""
    return [
        ev.FigureDrawn(
            step=step,
            at=at,
            name=figure.name,
            kind=figure.kind,
            title=figure.title,
            file=f"figures/{save_figure(folder.figures, figure)}",
        )
        for figure in figures
    ]


# -- figures as the tasks make them ----------------------------------------------------------------------------------


def spiral_points(per_arm: int = 200) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Points (N, 2) of the spiral and their arms (N,)."""
    rng = np.random.default_rng(3)
    points, labels = [], []
    for arm in range(3):
        radius = np.linspace(0, 1, per_arm)
        angle = np.linspace(2 * np.pi * arm / 3, 2 * np.pi * (2 + arm) / 3, per_arm)
        angle += 0.2 * rng.standard_normal(per_arm)
        points.append(np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1))
        labels.append(np.full(per_arm, arm))
    return np.concatenate(points), np.concatenate(labels).astype(np.int16)


def regions() -> Figure:
    """Decision regions of a spiral that is nearly learned."""
    points, labels = spiral_points()
    extent = np.array([-1.15, 1.15, -1.15, 1.15])
    x, y = np.meshgrid(np.linspace(-1.15, 1.15, 96), np.linspace(1.15, -1.15, 96))
    # the arm whose middle is nearest in angle at that radius
    radius, angle = np.hypot(x, y), np.arctan2(x, y)
    middles = [2 * np.pi * arm / 3 + 4 * np.pi / 3 * radius for arm in range(3)]
    off = np.stack([np.abs((angle - middle + np.pi) % (2 * np.pi) - np.pi) for middle in middles])
    order = np.random.default_rng(1).permutation(len(points))
    arrays = {
        "classes": off.argmin(axis=0).astype(np.int16),
        "extent": extent,
        "points": points[order],
        "labels": labels[order],
        "names": np.array(["arm 1", "arm 2", "arm 3"]),
    }
    return Figure("regions", "regions", "Decision regions", arrays)


DIGIT_NAMES = np.array([str(digit) for digit in range(10)])


def matrix() -> Figure:
    """A confusion matrix of ten digits, nearly all right."""
    rng = np.random.default_rng(5)
    counts = np.diag(rng.integers(33, 38, 10))
    for truth, guess, count in ((8, 1, 3), (9, 7, 1), (4, 9, 2), (3, 5, 1), (3, 8, 2), (1, 8, 1), (5, 9, 1)):
        counts[truth, guess] += count
        counts[truth, truth] -= count
    return Figure("confusion", "matrix", "Confusion matrix", {"counts": counts.astype(np.int64), "names": DIGIT_NAMES})


def digit_pictures(count: int, size: int) -> np.ndarray[Any, Any]:
    """Strokes that look like handwriting: (N, size, size) uint8."""
    rng = np.random.default_rng(11)
    pictures = np.zeros((count, size, size))
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1)
    for picture in pictures:
        phase, bend = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.4)
        for share in np.linspace(0, 1, 60):
            turn = phase + share * 5 * bend
            centre = size / 2 + size * 0.28 * np.array([np.cos(turn) * (1 - share * 0.4), np.sin(turn * bend)])
            distance = ((grid - centre) ** 2).sum(axis=-1)
            np.maximum(picture, np.exp(-distance / (0.004 * size**2 + 0.25)), out=picture)
    return (pictures * 255).astype(np.uint8)


def mistakes(count: int = 12, size: int = 8, in_color: bool = False) -> Figure:
    """The worst mistakes of a reader of digits."""
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 10, count)
    images = digit_pictures(count, size)
    if in_color:
        images = (images[..., None] * rng.uniform(0.2, 1, (count, 1, 1, 3))).astype(np.uint8)
    arrays = {
        "images": images,
        "truth": truth.astype(np.int16),
        "guess": ((truth + rng.integers(1, 9, count)) % 10).astype(np.int16),
        "confidence": np.linspace(0.97, 0.41, count).astype(np.float32),
        "names": DIGIT_NAMES,
    }
    return Figure("mistakes", "mistakes", "Worst mistakes", arrays)


def features() -> Figure:
    """What two layers of a small network make of one digit, with filters that find edges."""
    rng = np.random.default_rng(4)
    digit = digit_pictures(1, 28)
    y, x = np.mgrid[-1:1:5j, -1:1:5j]
    turns = np.arange(10)[:, None, None] * np.pi / 5
    filters = (x * np.cos(turns) + y * np.sin(turns)) * np.exp(-(x**2) - y**2) + 0.05 * rng.standard_normal((10, 5, 5))
    first = _maps(digit, filters)
    second = _maps(first[:, ::2, ::2], rng.standard_normal((2, 5, 5)))
    arrays = {
        "titles": np.array(["input: a 7", "filters of block1.conv1", "maps of block1", "maps of block2"]),
        "images_0": digit,
        "images_1": filters.astype(np.float32),
        "images_2": first,
        "images_3": second,
    }
    return Figure("features", "gallery", "What the network makes of one held-out digit", arrays)


def _maps(pictures: np.ndarray[Any, Any], filters: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(N * M, H - 4, W - 4) uint8: what each of M 5x5 filters finds in each of N pictures."""
    windows = np.lib.stride_tricks.sliding_window_view(pictures / 255, (5, 5), axis=(1, 2))
    found = np.maximum(np.einsum("nhwij,mij->nmhw", windows, filters), 0).reshape(-1, *windows.shape[1:3])
    return (255 * found / found.max()).astype(np.uint8)


def samples(count: int = 64, size: int = 32) -> Figure:
    """Blots in colour, as a generator of pictures might make them."""
    rng = np.random.default_rng(9)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    pictures = np.empty((count, size, size, 3), np.uint8)
    for picture in pictures:
        wide, paper, ink = rng.uniform(0.3, 0.8), rng.uniform(200, 255, 3), rng.uniform(0, 255, 3)
        blot = 1 / (1 + np.exp(8 * (np.hypot(x - rng.uniform(-0.2, 0.2), y) / wide - 1)))
        eyes = np.exp(-60 * ((np.abs(x) - 0.3) ** 2 + (y + 0.2) ** 2))
        picture[:] = (paper + blot[..., None] * (ink - paper)) * (1 - eyes[..., None])
    arrays = {"titles": np.array(["epoch 3"]), "images_0": pictures}
    return Figure("samples", "gallery", "Pictures made from noise that stays the same", arrays)


def weights(count: int = 10, size: int = 28) -> Figure:
    """Weights of a linear classifier of clothes."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    images = [
        np.sin(3 * x + index) * np.cos(2 * y * (1 + index / 5)) * np.exp(-(x**2) - y**2) for index in range(count)
    ]
    names = ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
    arrays = {"images": np.array(images, dtype=np.float32), "names": np.array(names[:count])}
    return Figure("weights", "weights", "Weights of each class", arrays)


def compare() -> Figure:
    """Learned against true parameters."""
    arrays = {
        "names": np.array(["w1", "w2", "b"]),
        "learned": np.array([1.9987, -3.3991, 4.2004]),
        "truth": np.array([2.0, -3.4, 4.2]),
    }
    return Figure("parameters", "compare", "Learned and true parameters", arrays)


def curve() -> Figure:
    """A line through three points."""
    x = np.linspace(0.5, 4.5, 100)
    arrays = {"x": np.array([1.0, 2.0, 3.0]), "y": np.array([2.0, 4.0, 6.0]), "line_x": x, "line_y": 1.94 * x + 0.11}
    return Figure("fit", "curve", "Fitted line", {**arrays, "truth_y": 2 * x})


def metrics() -> Figure:
    """Two parameters over time."""
    return Figure("over-time", "metrics", "w and b over time", {"keys": np.array(["param/w", "param/b"])})

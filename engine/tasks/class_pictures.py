"""Figures of models that tell classes apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from engine.data.bundle import DataBundle, Split
from engine.data.draws import floats
from engine.figures import Figure
from engine.tasks.number_pictures import finite_ends, thinned
from engine.tasks.pixels import bytes_of, shrunk

GRID_HEIGHT, GRID_WIDTH = 80, 120
MISTAKES_SHOWN = 12
FEW_ROWS = 20


def regions_figure(data: DataBundle, sample: Split, classes_of: Callable[[Tensor], np.ndarray]) -> Figure:
    """The class a model gives to each place of the plane, and points that lie there."""
    x0, x1, y0, y1 = extent = _extent(data.train.inputs)
    # row 0 is the top
    y, x = np.meshgrid(np.linspace(y1, y0, GRID_HEIGHT), np.linspace(x0, x1, GRID_WIDTH), indexing="ij")
    classes = classes_of(floats(np.stack([x.ravel(), y.ravel()], axis=1)))
    points = thinned(sample)
    arrays = {
        "classes": classes.reshape(GRID_HEIGHT, GRID_WIDTH).astype(np.int16),
        "extent": extent,
        "points": points.inputs.cpu().numpy().astype(np.float32),
        "labels": points.targets.reshape(-1).cpu().numpy().astype(np.int16),
        "names": np.array(data.class_names),
    }
    return Figure("regions", "regions", f"Decision regions, with {_taken(data, len(points), 'points')}", arrays)


def _extent(points: Tensor) -> np.ndarray:
    """(4,) x0 x1 y0 y1 around (N, 2) points, with room about them: more about a few than about many."""
    low, high = (ends.cpu().numpy().astype(np.float64) for ends in finite_ends(points))
    room = (0.4 if len(points) < FEW_ROWS else 0.1) * np.where(high > low, high - low, 1.0)
    low, high = low - room, high + room
    return np.array([low[0], high[0], low[1], high[1]])


def matrix_figure(data: DataBundle, truth: np.ndarray, guess: np.ndarray) -> Figure:
    """How often each true class (rows) was taken for each class (columns); (N,) classes each."""
    classes = len(data.class_names)
    counts = np.bincount(truth * classes + guess, minlength=classes**2).reshape(classes, classes).astype(np.int64)
    title = f"Confusion matrix of {_taken(data, len(truth), 'samples')}"
    return Figure("matrix", "matrix", title, {"counts": counts, "names": np.array(data.class_names)})


def mistakes_figure(data: DataBundle, sample: Split, probabilities: np.ndarray) -> Figure:
    """The images a model got wrong with the greatest confidence, from (N, C) probabilities."""
    truth, guess = sample.targets.cpu().numpy(), probabilities.argmax(1)
    confidence = probabilities.max(1)
    wrong = np.flatnonzero(truth != guess)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")[:MISTAKES_SHOWN]]
    arrays = {
        "images": bytes_of(shrunk(sample.inputs[torch.from_numpy(worst).to(sample.inputs.device)])),
        "truth": truth[worst].astype(np.int16),
        "guess": guess[worst].astype(np.int16),
        "confidence": confidence[worst].astype(np.float32),
        "names": np.array(data.class_names),
    }
    title = f"Mistakes: {len(wrong):,} of {_taken(data, len(truth), 'samples')}, the surest first"
    return Figure("mistakes", "mistakes", title, arrays)


def weights_figure(data: DataBundle, model: nn.Module) -> Figure:
    """What a linear model looks for, as one picture per class: where ink speaks for it, and where against."""
    weight = model.weight
    assert isinstance(weight, Tensor)
    images = weight.detach().float().cpu().reshape(-1, *data.input_shape).mean(1)
    arrays = {"images": images.numpy(), "names": np.array(data.class_names)}
    return Figure("weights", "weights", "Weights: what speaks for a class, and what against", arrays)


def _taken(data: DataBundle, count: int, what: str) -> str:
    """How many were looked at, and of how many where not at all of them: a picture drawn live takes fewer."""
    whole, whose = len(data.val or data.train), "held-out" if data.val else "training"
    return f"{count:,} {whose} {what}" if count >= whole else f"{count:,} among the {whole:,} {whose} {what}"

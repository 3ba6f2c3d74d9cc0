"""Points to be told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from engine.data.bundle import DataBundle, Split
from engine.data.draws import floats, generator
from engine.schema import data as schema


def load_hours(data: schema.Hours, seed: int, data_dir: Path) -> DataBundle:
    """Hours studied, and whether the exam was passed; nothing is drawn or held out."""
    train = Split(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[0.0], [0.0], [1.0]]))
    return DataBundle(train, None, (1,), 1, class_names=("fail", "pass"))


def load_xor(data: schema.Xor, seed: int, data_dir: Path) -> DataBundle:
    """Exclusive or; nothing is drawn or held out."""
    corners = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    train = Split(corners, torch.tensor([[0.0], [1.0], [1.0], [0.0]]))
    return DataBundle(train, None, (2,), 1, class_names=("0", "1"))


def load_spiral(data: schema.Spiral, seed: int, data_dir: Path) -> DataBundle:
    """Arms that start at the centre a full turn's share apart; a fresh draw is held out."""

    def draw(points: int, purpose: str) -> Split:
        rng = generator(seed, f"spiral/{purpose}")
        radius = np.linspace(0, 1, points)
        arms = []
        for arm in range(data.arms):
            start, end = (2 * np.pi / data.arms * turn for turn in (arm, 2 + arm))
            angle = np.linspace(start, end, points) + data.noise * rng.standard_normal(points)
            arms.append(np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1))
        classes = torch.arange(data.arms).repeat_interleave(points)
        return Split(floats(np.concatenate(arms)), classes)

    return DataBundle(
        train=draw(data.points, "train"),
        val=draw(data.points // 5, "val"),
        input_shape=(2,),
        outputs=data.arms,
        class_names=tuple(f"arm {arm + 1}" for arm in range(data.arms)),
    )

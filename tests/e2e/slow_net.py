"""A network that takes its time over each step: who waits for a run that goes on leaves the cores to other tests."""

from __future__ import annotations

import time

import torch
from torch import nn

STEP_S = 0.008


class SlowNet(nn.Sequential):
    """Two layers."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int) -> None:
        super().__init__(nn.Linear(input_shape[0], 16), nn.ReLU(), nn.Linear(16, outputs))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Scores of the classes, after a while."""
        time.sleep(STEP_S)
        scores: torch.Tensor = super().forward(inputs)
        return scores

"""Pictures that are never quite the same twice, so that a network can't learn them by heart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Augmentation:
    """What is done to the pictures of a batch, each by its own draw."""

    flip: bool = False
    """Mirror left to right with probability 1/2."""
    rotate: float = 0.0
    """Largest angle either way, in degrees."""

    def __bool__(self) -> bool:
        return self.flip or self.rotate > 0

    def draw(self, rows: int, generator: torch.Generator) -> Tensor:
        """(rows, 2) float32 on the CPU: for each picture 1 or -1 (mirrored), and its angle, clockwise in radians."""
        signs = torch.where(torch.rand(rows, generator=generator) < 0.5, -1.0, 1.0) if self.flip else torch.ones(rows)
        angles = (2 * torch.rand(rows, generator=generator) - 1) * math.radians(self.rotate)
        return torch.stack([signs, angles], dim=1)

    def apply(self, pictures: Tensor, draws: Tensor, black: Tensor | float) -> Tensor:
        """Mirrored and turned `pictures`.

        Args:
            pictures: (N, C, H, W) prepared floats.
            draws: (N, 2), as `draw` gives them, on the same device.
            black: What fills corners that were outside: a number, or (C, 1, 1).
        """
        mirrored = draws[:, 0]
        if not self.rotate:
            return torch.where((mirrored < 0)[:, None, None, None], pictures.flip(3), pictures)
        # zeros outside stand for black once black is the origin
        turned = F.grid_sample(pictures - black, _grid(pictures, mirrored, draws[:, 1]), align_corners=False)
        return turned.add_(black)


def _grid(pictures: Tensor, mirrored: Tensor, angles: Tensor) -> Tensor:
    """(N, H, W, 2) places to take pixels from, x then y, in [-1, 1]. Turning happens in pixels, mirroring first."""
    height, width = pictures.shape[2:]
    y = (torch.arange(height, device=pictures.device) + 0.5 - height / 2)[None, :, None]
    x = (torch.arange(width, device=pictures.device) + 0.5 - width / 2)[None, None, :]
    cos, sin = angles.cos()[:, None, None], angles.sin()[:, None, None]
    source_x = (cos * x + sin * y) * mirrored[:, None, None]
    source_y = cos * y - sin * x
    return torch.stack([source_x * (2 / width), source_y * (2 / height)], dim=3)


NO_AUGMENTATION = Augmentation()

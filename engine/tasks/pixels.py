"""Pictures as bytes, no larger than a terminal can show."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

LARGEST_SIDE = 64
"""Pixels; larger pictures are shrunk, since a terminal has no room for more."""


def bytes_of(images: Tensor) -> np.ndarray:
    """(N, H, W) uint8, or in colour (N, H, W, 3), of stored images (N, C, H, W): bytes, or numbers from 0 to 1.

    Numbers that reach beyond are spread from the least to the largest of all.
    """
    if images.dtype != torch.uint8 and len(images):
        low, high = min(0.0, float(images.min())), max(1.0, float(images.max()))
        images = (images - low) * (255 / (high - low))
    in_color = images.shape[1] == 3
    shades = images.permute(0, 2, 3, 1) if in_color else images.float().mean(1)
    pixels: np.ndarray = shades.float().round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return pixels


def shrunk(pictures: Tensor) -> Tensor:
    """(N, C, H, W), shrunk by a whole factor so that no side exceeds `LARGEST_SIDE`."""
    height, width = pictures.shape[2:]
    times = -(-max(height, width) // LARGEST_SIDE)
    if times == 1 or not len(pictures):
        return pictures
    small = F.avg_pool2d(pictures.float(), times, ceil_mode=True)
    return small.round().to(torch.uint8) if pictures.dtype == torch.uint8 else small

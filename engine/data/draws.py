"""Random draws that repeat."""

from __future__ import annotations

import zlib

import numpy as np
import torch
from torch import Tensor


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Draws for one `purpose`: independent of those for any other, and the same on every machine."""
    return np.random.default_rng([seed, zlib.crc32(purpose.encode())])


def floats(values: np.ndarray) -> Tensor:
    """`values` as float32."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))

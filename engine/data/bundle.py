"""What a loaded data set is, whichever file it came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor


class DataError(Exception):
    """Data that can't be loaded; the message is one line, names the file, and says how to mend it."""


@dataclass(frozen=True)
class Split:
    """Samples that lie in memory, on one device."""

    inputs: Tensor
    """(N, ...); images stay uint8 until a batch is prepared."""
    targets: Tensor
    """(N,) int64 classes, or (N, outputs) float32 numbers or 0/1."""

    def __len__(self) -> int:
        return len(self.inputs)

    def to(self, device: torch.device) -> Split:
        """The same samples on `device`."""
        return replace(self, inputs=self.inputs.to(device), targets=self.targets.to(device))


@dataclass(frozen=True)
class DataBundle:
    """A data set, split, with what tasks need to know of it."""

    train: Split
    val: Split | None
    """The held-out split, None where nothing is held out."""
    input_shape: tuple[int, ...]
    """Shape of one sample as the model sees it, without the batch dimension."""
    outputs: int
    """Width of the model's output: target numbers, 1 for binary, or the number of classes."""
    class_names: tuple[str, ...] = ()
    """Empty unless targets are classes or binary."""
    mean: float = 0.0
    """uint8 inputs become (x / 255 - mean) / std."""
    std: float = 1.0
    true_function: Callable[[np.ndarray], np.ndarray] | None = None
    """For one-dimensional synthetic data: the curve without noise."""
    features_of_x: Callable[[np.ndarray], np.ndarray] | None = None
    """From (M,) values on the x axis to (M, ...) inputs, where a sample has more in it than its x."""
    true_parameters: dict[str, float] = field(default_factory=dict)
    """For synthetic linear data: the numbers that training should find, by name (w1, w2 …, b)."""
    x_column: int = 0
    """The column of `inputs` that figures put on their x axis."""

    def to(self, device: torch.device) -> DataBundle:
        """The same data set with its samples on `device`."""
        return replace(self, train=self.train.to(device), val=self.val.to(device) if self.val else None)

    def prepare(self, inputs: Tensor) -> Tensor:
        """A batch of stored inputs as the model wants it: uint8 (N, ...) becomes normalised float32."""
        if inputs.dtype == torch.uint8:
            return inputs.to(torch.float32).mul_(1 / (255 * self.std)).sub_(self.mean / self.std)
        return inputs

"""What a loaded data set is, whichever file it came from."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.data.augmentation import NO_AUGMENTATION, Augmentation


class DataError(Exception):
    """Data that can't be loaded; the message is one line, names the file, and says how to mend it."""


@dataclass(frozen=True)
class Split:
    """Samples that lie in memory, on one device."""

    inputs: Tensor
    """(N, ...); images stay uint8 until a batch is prepared, token ids are int64."""
    targets: Tensor
    """(N,) int64 classes, (N, length) int64 classes of tokens, or (N, outputs) float32 numbers or 0/1."""

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
    mean: tuple[float, ...] = (0.0,)
    """uint8 inputs become (x / 255 - mean) / std; one number for all channels, or one for each."""
    std: tuple[float, ...] = (1.0,)
    augmentation: Augmentation = NO_AUGMENTATION
    """What is done to prepared pictures of the training split, differently each epoch."""
    vocabulary: tuple[str, ...] = ()
    """Of inputs that are token ids: the word that each id stands for."""
    true_function: Callable[[np.ndarray], np.ndarray] | None = None
    """For one-dimensional synthetic data: the curve without noise."""
    features_of_x: Callable[[np.ndarray], np.ndarray] | None = None
    """From (M,) values on the x axis to (M, ...) inputs, where a sample has more in it than its x."""
    true_parameters: dict[str, float] = field(default_factory=dict)
    """For synthetic linear data: the numbers that training should find, by name (w1, w2 …, b)."""
    digest: int = 0
    """CRC-32 of all samples as they were loaded; 0 where nobody has asked for it."""
    x_column: int = 0
    """The column of `inputs` that figures put on their x axis."""
    _scales: dict[str, Tensor] = field(default_factory=dict, compare=False, repr=False)
    """By device: made once, used each step."""

    def to(self, device: torch.device) -> DataBundle:
        """The same data set with its samples on `device`."""
        return replace(self, train=self.train.to(device), val=self.val.to(device) if self.val else None)

    def tensors(self) -> list[Tensor]:
        """What all samples lie in."""
        splits = [self.train, *([self.val] if self.val else [])]
        return [tensor for split in splits for tensor in (split.inputs, split.targets)]

    def digested(self) -> DataBundle:
        """The same data set with its digest, while its samples are in main memory: some 25 ms for those of MNIST."""
        digest = 0
        for tensor in self.tensors():
            digest = zlib.crc32(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data, digest)
        return replace(self, digest=digest)

    def prepare(self, inputs: Tensor) -> Tensor:
        """A batch of stored inputs as the model wants it: uint8 (N, ...) becomes normalised float32."""
        if inputs.dtype != torch.uint8:
            return inputs
        pixels = inputs.to(torch.float32)
        if len(self.std) == 1:  # a number costs less than a tensor of one
            return pixels.mul_(1 / (255 * self.std[0])).sub_(self.mean[0] / self.std[0])
        scale, shift = self._by_channel(pixels)
        return pixels.mul_(scale).sub_(shift)

    def black(self, prepared: Tensor) -> Tensor | float:
        """What a pixel of value 0 is in `prepared` pictures (N, C, H, W)."""
        if self.train.inputs.dtype != torch.uint8:
            return 0.0
        return -self.mean[0] / self.std[0] if len(self.std) == 1 else -self._by_channel(prepared)[1]

    def _by_channel(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(C, 1, 1) factors and differences that turn bytes into prepared pixels."""
        key = str(pixels.device)
        if key not in self._scales:
            mean, std = (torch.tensor(numbers, dtype=torch.float64) for numbers in (self.mean, self.std))
            both = torch.stack([1 / (255 * std), mean / std]).float().reshape(2, -1, 1, 1)
            self._scales[key] = both.to(pixels.device)
        scale, shift = self._scales[key]
        return scale, shift

    def card(self) -> dict[str, Any]:
        """What a model must know of its data to be used without it, as plain data for a checkpoint."""
        return {
            "train_rows": len(self.train),
            "input_shape": list(self.input_shape),
            "outputs": self.outputs,
            "class_names": list(self.class_names),
            "mean": list(self.mean),
            "std": list(self.std),
            "vocabulary": list(self.vocabulary),
            "digest": self.digest,
        }

    @staticmethod
    def from_card(card: Mapping[str, Any]) -> DataBundle:
        """A bundle without samples, from what `card` gave.

        Raises:
            DataError: the card is none.
        """
        try:
            shape = tuple(map(int, card["input_shape"]))
            is_text = bool(card["vocabulary"])
            nothing = Split(
                torch.empty((0, *shape), dtype=torch.int64 if is_text else torch.uint8),
                torch.empty(0, dtype=torch.int64),
            )
            return DataBundle(
                train=nothing,
                val=None,
                input_shape=shape,
                outputs=int(card["outputs"]),
                class_names=tuple(map(str, card["class_names"])),
                mean=tuple(map(float, card["mean"])),
                std=tuple(map(float, card["std"])),
                vocabulary=tuple(map(str, card["vocabulary"])),
            )
        except (KeyError, TypeError, ValueError):
            raise DataError("the checkpoint does not say what its data was: train the run anew") from None

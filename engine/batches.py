"""Mini-batches from samples that lie in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from math import ceil, prod

import torch
from torch import Tensor

from engine.data.bundle import DataBundle, Split

CHUNK_BYTES = 1 << 20
"""Prepared samples gathered at once: large enough to spread the cost of an indexing call over many small batches,
small enough to stay in a CPU's cache."""
GPU_CHUNK_BYTES = 64 << 20
"""On a GPU a launch costs more than what it launches, and there is no such cache to stay in."""
EVALUATION_BYTES = 16 << 20
"""Prepared samples evaluated at once, at most."""
CPU_EVALUATION_BYTES, CPU_EVALUATION_ROWS = 2 << 20, 128
"""On a CPU what they become should stay in its cache: with 16 MiB a small convolutional network takes twice as long.
But where samples are large so are weights, and reading these must be worth it: so many rows, or what 16 MiB holds."""


class Batches:
    """The training split, in a new order every epoch.

    The order of an epoch is a function of (seed, epoch) alone, drawn on the CPU: the same on every device, and after a
    resume.

    Args:
        data: The samples, on `device` or, where they don't fit there, in main memory.
        batch_size: Samples per batch, or "full".
        seed: Of the order, and of augmentation.
        shuffle: Whether there is a new order.
        device: Where batches are wanted; by default where the samples are.
    """

    def __init__(
        self, data: DataBundle, batch_size: int | str, seed: int, shuffle: bool, device: torch.device | None = None
    ) -> None:
        self._data, self._seed = data, seed
        self._device = device or data.train.inputs.device
        rows = len(data.train)
        self.batch_size = rows if isinstance(batch_size, str) else min(batch_size, rows)
        self._shuffle = shuffle and self.batch_size < rows
        self._whole: tuple[Tensor, Tensor] | None = None
        row_bytes = 4 * max(1, prod(data.train.inputs.shape[1:]))
        chunk_bytes = CHUNK_BYTES if self._device.type == "cpu" else GPU_CHUNK_BYTES
        self._chunk_batches = max(1, chunk_bytes // (row_bytes * self.batch_size))

    def __len__(self) -> int:
        """Batches in an epoch; the last one may be smaller."""
        return ceil(len(self._data.train) / self.batch_size)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Prepared inputs and targets of the epoch's batches, from batch `start` on."""
        if len(self) == 1:
            if start == 0:
                yield self._all(epoch)
            return
        split, rows = self._data.train, len(self._data.train)
        order = self._order(epoch) if self._shuffle else None
        draws = self._draws(epoch)
        chunk = self._chunk_batches * self.batch_size
        for first in range(start * self.batch_size, rows, chunk):
            last = min(first + chunk, rows)
            if order is None:
                inputs, targets = split.inputs[first:last], split.targets[first:last]
            else:
                chosen = order[first:last]
                inputs, targets = split.inputs.index_select(0, chosen), split.targets.index_select(0, chosen)
            inputs, targets = on_device(inputs, self._device), on_device(targets, self._device)
            batches: Iterable[Tensor] = torch.split(self._data.prepare(inputs), self.batch_size)
            if draws is not None:
                batches = self._augmented(batches, draws[first:last])
            yield from zip(batches, torch.split(targets, self.batch_size), strict=True)

    def _all(self, epoch: int) -> tuple[Tensor, Tensor]:
        """The one batch there is: prepared once, in its own order, since the order of a sum is no randomness."""
        if self._whole is None:
            split = self._data.train
            inputs, targets = on_device(split.inputs, self._device), on_device(split.targets, self._device)
            self._whole = self._data.prepare(inputs), targets
        inputs, targets = self._whole
        draws = self._draws(epoch)
        return (inputs if draws is None else next(iter(self._augmented([inputs], draws)))), targets

    def _draws(self, epoch: int) -> Tensor | None:
        """(rows, 2) what is to happen to each picture of the epoch, by its place in it: the same after a resume."""
        augmentation = self._data.augmentation
        if not augmentation:
            return None
        generator = torch.Generator().manual_seed(mix_seed(self._seed, epoch, "augmentation"))
        return on_device(augmentation.draw(len(self._data.train), generator), self._device)

    def _augmented(self, batches: Iterable[Tensor], draws: Tensor) -> Iterator[Tensor]:
        """The batches, one by one: of another size, sums might come out otherwise in their last bits."""
        for batch, drawn in zip(batches, torch.split(draws, self.batch_size), strict=True):
            yield self._data.augmentation.apply(batch, drawn, self._data.black(batch))

    def _order(self, epoch: int) -> Tensor:
        generator = torch.Generator().manual_seed(mix_seed(self._seed, epoch))
        order = torch.randperm(len(self._data.train), generator=generator)
        return on_device(order, self._data.train.inputs.device)


def evaluation_batches(data: DataBundle, split: Split, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Prepared inputs and targets of a whole split on `device`, in order, in batches that are evaluated fast."""
    rows = evaluation_rows(split.inputs, device)
    for first in range(0, len(split), rows):
        inputs, targets = split.inputs[first : first + rows], split.targets[first : first + rows]
        yield data.prepare(on_device(inputs, device)), on_device(targets, device)


def evaluation_rows(inputs: Tensor, device: torch.device) -> int:
    """How many samples like those of (N, ...) `inputs` are evaluated at once on `device`."""
    row_bytes = 4 * max(1, prod(inputs.shape[1:]))
    most = max(1, EVALUATION_BYTES // row_bytes)
    return most if device.type != "cpu" else min(most, max(CPU_EVALUATION_ROWS, CPU_EVALUATION_BYTES // row_bytes))


def on_device(tensor: Tensor, device: torch.device) -> Tensor:
    """`tensor` on `device`; what comes from main memory is sent while the host goes on."""
    if tensor.device == device:
        return tensor
    if tensor.device.type == "cpu" and device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def mix_seed(*parts: int | str) -> int:
    """A 32-bit seed in which every part tells: torch's CPU generator looks at no more than 32 bits."""
    text = ":".join(map(str, parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little")

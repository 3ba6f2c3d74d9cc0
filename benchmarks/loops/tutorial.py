"""The loop of the usual tutorial: a DataLoader that transforms sample by sample, and `.item()` after each step."""

from __future__ import annotations

from typing import Any

from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchvision import transforms

from benchmarks.loops import Trained, timed
from benchmarks.systems import System


class Pictures(Dataset[tuple[Tensor, int]]):
    """Samples as torchvision's MNIST gives them: each a PIL picture, transformed when asked for."""

    def __init__(self, system: System) -> None:
        rows, data = len(system.targets), system.data
        self._pixels, self._labels = data.train.inputs[:rows, 0], data.train.targets[:rows]
        self._transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(data.mean, data.std)])

    def __len__(self) -> int:
        """Samples."""
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """A picture (1, H, W) and its class."""
        picture = Image.fromarray(self._pixels[index].numpy())
        return self._transform(picture), int(self._labels[index])


def train(system: System) -> Trained:
    """Pictures are transformed one by one; rows of numbers are only stacked."""
    clock, model = system.clock(), system.model()
    optimizer = system.optimizer(model.parameters(), fused=None)
    is_picture = system.data.train.inputs.dtype != system.inputs.dtype
    samples: Dataset[Any] = Pictures(system) if is_picture else TensorDataset(system.inputs, system.targets)
    loader = DataLoader(samples, batch_size=system.batch_size, shuffle=True)
    total = 0.0
    for _ in range(system.epochs):
        for inputs, targets in loader:
            clock.begin_step()
            optimizer.zero_grad()
            loss = system.loss(model(inputs), targets)
            loss.backward()  # type: ignore[no-untyped-call] # torch has not typed it
            optimizer.step()
            total += loss.item()
    return timed(clock, model)

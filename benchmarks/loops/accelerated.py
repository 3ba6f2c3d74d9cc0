"""The loop that accelerate's documentation shows: model, optimizer and data loader prepared, `accelerator.backward`.

https://huggingface.co/docs/accelerate/basic_tutorials/migration
"""

from __future__ import annotations

from collections.abc import Iterator

from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from benchmarks.loops import Trained, timed
from benchmarks.systems import Batches, System


class Rows(IterableDataset[tuple[Tensor, Tensor]]):
    """Ready batches for a DataLoader that only passes them on."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __len__(self) -> int:
        """Batches of one pass."""
        return len(self._batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter(self._batches)


def train(system: System) -> Trained:
    """All epochs."""
    clock, model = system.clock(), system.model()
    accelerator = Accelerator(cpu=True)
    model, optimizer, loader = accelerator.prepare(
        model, system.optimizer(model.parameters()), DataLoader(Rows(Batches(system, clock)), batch_size=None)
    )
    for _ in range(system.epochs):
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = system.loss(model(inputs), targets)
            accelerator.backward(loss)
            optimizer.step()
    trained = timed(clock, accelerator.unwrap_model(model))
    accelerator.free_memory()
    return trained

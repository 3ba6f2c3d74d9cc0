"""What every loop of the benchmarks trains: one preset's model on its data, resident, prepared once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.batches import mix_seed
from engine.data import DataBundle, load_data
from engine.devices import default_threads, resolve_device
from engine.models import build_model
from engine.schema import RunConfig, overlay, validate
from engine.schema.optimizer import Adam, Sgd
from presets import load_preset


class Clock:
    """Counts the steps of a loop, and times them from the beginning of one to that of the last.

    So it needs to be told of nothing but beginnings, which whoever hands out batches knows of, and what a trainer does
    before and after all steps does not count.

    Args:
        warm_up: Steps before the one it begins with.
    """

    def __init__(self, warm_up: int) -> None:
        self._warm_up = warm_up
        self._began_at = self._last_at = 0.0
        self.steps = 0
        """Steps begun so far."""

    def begin_step(self) -> None:
        """A step begins: its batch is about to be fetched."""
        self._last_at = time.perf_counter()
        if self.steps == self._warm_up:
            self._began_at = self._last_at
        self.steps += 1

    def steps_per_s(self) -> float:
        """Steps after the warm-up, but for the last, by the time they took."""
        return (self.steps - 1 - self._warm_up) / (self._last_at - self._began_at)


@dataclass(frozen=True)
class System:
    """A preset, with its data on the device."""

    config: RunConfig
    data_folder: Path
    data: DataBundle
    """As it is stored: pictures are uint8."""
    inputs: Tensor
    """(N, ...) what the model takes: pictures are normalised float32."""
    targets: Tensor
    """(N,) classes or (N, outputs) numbers."""

    @property
    def epochs(self) -> int:
        """Passes over the data."""
        return self.config.trainer.epochs

    @property
    def batch_size(self) -> int:
        """Rows of a batch."""
        size, rows = self.config.trainer.batch_size, len(self.targets)
        return rows if isinstance(size, str) else min(size, rows)

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.epochs * len(Batches(self, Clock(0)))

    @property
    def threads(self) -> int:
        """Threads to compute with."""
        return self.config.trainer.threads or default_threads()

    def head(self, rows: int) -> System:
        """The same with the first `rows` only, for loops that need not run as long to be timed. dltui's own loop does
        not see the difference: it loads its data itself."""
        return replace(self, inputs=self.inputs[:rows], targets=self.targets[:rows])

    def trained_otherwise(self, **trainer: Any) -> System:
        """The same with other settings of `[trainer]`."""
        config = self.config.model_copy(update={"trainer": self.config.trainer.model_copy(update=trainer)})
        return replace(self, config=config)

    def clock(self) -> Clock:
        """A clock that leaves out the first twentieth."""
        return Clock(self.steps // 20)

    def model(self) -> nn.Module:
        """A new model, always with the same weights."""
        torch.manual_seed(self.config.trainer.seed)
        return build_model(self.config.model, self.data).to(self.inputs.device)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """What training makes smaller."""
        if self.data.class_names:
            return F.cross_entropy(outputs, targets)
        loss = F.mse_loss(outputs, targets)
        return loss * 0.5 if self.config.task.loss == "half-mse" else loss

    def optimizer(self, parameters: Iterable[nn.Parameter], fused: bool | None = True) -> torch.optim.Optimizer:
        """The preset's optimizer, from torch.optim.

        Raises:
            ValueError: it is one that no benchmark has needed so far.
        """
        match self.config.optimizer:
            case Sgd() as o:
                return torch.optim.SGD(
                    parameters, o.lr, o.momentum, weight_decay=o.weight_decay, nesterov=o.nesterov, fused=fused
                )
            case Adam() as o:
                return torch.optim.Adam(parameters, o.lr, (o.beta1, o.beta2), o.eps, o.weight_decay, fused=fused)
            case other:
                raise ValueError(f"no hand-written optimizer for '{other.kind}'")

    def order(self, epoch: int) -> Tensor:
        """(N,) rows in the order of that epoch: the one dltui takes them in."""
        generator = torch.Generator().manual_seed(mix_seed(self.config.trainer.seed, epoch))
        return torch.randperm(len(self.targets), generator=generator).to(self.inputs.device)


class Batches:
    """Batches of resident rows for other people's loops, in a new order each time they are gone through.

    This is as cheap as can be: one indexing call for the inputs and one for the targets.
    """

    def __init__(self, system: System, clock: Clock) -> None:
        self._system, self._clock = system, clock
        self._epoch = 0

    def __len__(self) -> int:
        """Batches of one pass."""
        return -(-len(self._system.targets) // self._system.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        system, clock = self._system, self._clock
        order = system.order(self._epoch)
        self._epoch += 1
        for chosen in torch.split(order, system.batch_size):
            clock.begin_step()
            yield system.inputs[chosen], system.targets[chosen]


def load_system(preset: str, data_folder: Path, trainer: dict[str, Any], data: dict[str, Any] | None = None) -> System:
    """The system of a preset, with other settings of its `[trainer]` and `[data]`.

    Raises:
        DataError: its data is not here.
    """
    config = validate(overlay(load_preset(preset).tree, {"trainer": trainer, "data": data or {}}))
    device = resolve_device(config.trainer.device)
    bundle = load_data(config.data, config.trainer.seed, data_folder).to(device)
    return System(config, data_folder, bundle, bundle.prepare(bundle.train.inputs), bundle.train.targets)

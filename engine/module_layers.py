"""The layers of a module that was built, seen while it answers two samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.hooks import RemovableHandle

from engine.modes import evaluating
from engine.schema.layers import Layer

ROOT = "model"
"""What a network is called that is one layer itself."""


@dataclass
class _Seen:
    """What was seen of a module while it ran, perhaps several times."""

    shape: tuple[int, ...] = ()
    multiply_adds: int = 0
    inner: int = 0
    """Of these, what modules inside it did."""
    began: list[int] = field(default_factory=list)


class _Watch:
    """Hooks on all modules that note, in the order in which they end, what they give and how much they multiply."""

    def __init__(self, module: nn.Module, samples: int, counter: FlopCounterMode) -> None:
        self._names = {part: name or ROOT for name, part in module.named_modules()}
        self._samples, self._counter = samples, counter
        self._open: list[_Seen] = []
        self._uncounted = 0
        self.seen: dict[str, _Seen] = {}
        self.handles: list[RemovableHandle] = []
        for part in self._names:
            self.handles += [
                part.register_forward_pre_hook(self._begin),
                part.register_forward_hook(self._end),
            ]

    def _begin(self, part: nn.Module, inputs: Any) -> None:
        seen = self.seen.get(self._names[part], _Seen())
        seen.began.append(self._multiply_adds())
        self._open.append(seen)

    def _multiply_adds(self) -> int:
        """Of one sample, up to now."""
        return self._counter.get_total_flops() // (2 * self._samples) + self._uncounted

    def _end(self, part: nn.Module, inputs: Any, outputs: Any) -> None:
        name, seen = self._names[part], self._open.pop()
        done = self._multiply_adds() - seen.began.pop()
        steps = _first_tensor(inputs)
        if isinstance(part, nn.RNNBase) and steps is not None:  # on some devices one operation, unknown to the counter
            weights = sum(weight.numel() for weight in part.parameters() if weight.ndim == 2)
            whole = weights * prod(steps.shape[:-1]) // self._samples
            self._uncounted += whole - done
            done = whole
        seen.multiply_adds += done
        for outer in self._open[-1:]:
            outer.inner += done
        shape = _shape(outputs)
        seen.shape = shape[1:] if shape[:1] == (self._samples,) else shape
        self.seen[name] = seen


def _shape(outputs: Any) -> tuple[int, ...]:
    first = _first_tensor(outputs)
    return () if first is None else tuple(first.shape)


def _first_tensor(values: Any) -> Tensor | None:
    """Of what a module took or returned; of packed sequences, which are tuples too, all their steps in one."""
    while isinstance(values, (tuple, list)) and values:
        values = values[0]
    return values if isinstance(values, Tensor) else None


def module_layers(module: nn.Module, inputs: Tensor) -> list[Layer]:
    """Layers of `module` in the order in which they end their work on `inputs` (N, ...).

    A layer is a module without modules inside it, or one that has weights, convolutions or matrix products of its own
    besides. Parameters that several layers share count once, and layers that were not used have no output shape.
    """
    with evaluating(module), FlopCounterMode(display=False) as counter:
        watch = _Watch(module, len(inputs), counter)
        try:
            module(inputs)
        finally:
            for handle in watch.handles:
                handle.remove()
    parts = {name or ROOT: part for name, part in module.named_modules()}
    counted: set[int] = set()
    layers = []
    for name in [*watch.seen, *(name for name in parts if name not in watch.seen)]:
        part, seen = parts[name], watch.seen.get(name, _Seen())
        parameters = _own_parameters(part, counted)
        multiply_adds = seen.multiply_adds - seen.inner
        is_leaf = next(part.children(), None) is None and name in watch.seen
        if is_leaf or parameters or multiply_adds:
            layers.append(Layer(name, seen.shape, parameters, multiply_adds))
    return layers


def _own_parameters(part: nn.Module, counted: set[int]) -> int:
    """How many trained numbers `part` itself has that were not `counted` yet."""
    total = 0
    for parameter in part.parameters(recurse=False):
        if parameter.requires_grad and id(parameter) not in counted:
            counted.add(id(parameter))
            total += parameter.numel()
    return total

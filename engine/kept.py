"""Numbers as they were, for a step that may have to be taken back."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from engine.checkpoint import random_states, restore_random_states


class Kept:
    """A copy of tensors, optimizers' states and random states, on their devices, and the way back to it.

    Unlike `load_state_dict` it gives back the very numbers in the very formats, costs neither hooks nor checks, and
    leaves every tensor where it lies in memory: a captured graph knows tensors by their addresses.

    Args:
        tensors: Weights and buffers; see `tensors_of`.
        optimizers: Whose states are kept; their settings, such as the learning rate, are not.
        random_of: The device whose random states, and the CPU's, are kept too; none without it.
    """

    def __init__(
        self, tensors: Iterable[Tensor], optimizers: Iterable[Optimizer] = (), random_of: torch.device | None = None
    ) -> None:
        self._tensors = [(tensor, tensor.detach().clone()) for tensor in tensors]
        self._states = [(rule, {p: _copied(state) for p, state in rule.state.items()}) for rule in optimizers]
        self._random_of = random_of
        self._random = random_states(random_of) if random_of else None

    def put_back(self) -> None:
        """Make everything what it was; may be called again."""
        with torch.no_grad():
            for tensor, copied in self._tensors:
                tensor.copy_(copied)
            for rule, states in self._states:
                for parameter in rule.state.keys() - states.keys():
                    del rule.state[parameter]
                for parameter, state in states.items():
                    _put_back(rule.state[parameter], state)
        if self._random is not None and self._random_of is not None:
            restore_random_states(self._random, self._random_of)


def tensors_of(modules: Iterable[nn.Module]) -> list[Tensor]:
    """Parameters and buffers of `modules`."""
    return [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]


def _copied(state: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value.detach().clone() if isinstance(value, Tensor) else copy.deepcopy(value)
        for key, value in state.items()
    }


def _put_back(state: dict[str, Any], before: dict[str, Any]) -> None:
    for key in state.keys() - before.keys():
        del state[key]
    for key, value in before.items():
        now = state.get(key)
        if isinstance(now, Tensor) and isinstance(value, Tensor):
            now.copy_(value)
        else:
            state[key] = copy.deepcopy(value)

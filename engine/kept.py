"""Networks and optimizers as they were, for a step that may have to be taken back."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class Kept:
    """A copy of weights, buffers and optimizers' states, on their device, and the way back to it.

    Unlike `load_state_dict` it gives back the very numbers in the very formats, and costs neither hooks nor checks.
    """

    def __init__(self, modules: Iterable[nn.Module], optimizers: Iterable[Optimizer]) -> None:
        tensors = [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]
        self._tensors = [(tensor, tensor.detach().clone()) for tensor in tensors]
        self._states = [(rule, {p: _copied(state) for p, state in rule.state.items()}) for rule in optimizers]

    def put_back(self) -> None:
        """Make everything what it was; to be called once, since optimizers go on with the copies."""
        with torch.no_grad():
            for tensor, copied in self._tensors:
                tensor.copy_(copied)
        for rule, states in self._states:
            rule.state.clear()
            rule.state.update(states)


def _copied(state: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value.detach().clone() if isinstance(value, Tensor) else copy.deepcopy(value)
        for key, value in state.items()
    }

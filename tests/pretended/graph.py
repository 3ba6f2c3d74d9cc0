"""Graphs of the pretended device: operations as they were recorded, done again on the same memory."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from tests.pretended import device


class Graph:
    """In place of `torch.cuda.CUDAGraph`."""

    def __init__(self) -> None:
        self._steps: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []
        self._undo: list[tuple[Tensor, Tensor]] = []

    def begin(self) -> None:
        """Record from now on what is done."""
        if device.recorder is not None:
            raise RuntimeError("a graph is being captured already")
        self._random_state = device.random_state
        device.recorder = self._record

    def end(self) -> None:
        """Record no more, and have nothing done of what was recorded."""
        device.recorder = None
        device.random_state = self._random_state
        for tensor, before in reversed(self._undo):
            tensor.copy_(before)
        self._undo.clear()

    def replay(self) -> None:
        """Do it, with the numbers that tensors hold now."""
        with torch.no_grad():
            for func, args, kwargs, out in self._steps:
                with device.drawing(func):
                    made = func(*args, **kwargs)
                for kept, new in zip(tree_leaves(out), tree_leaves(made), strict=True):
                    if isinstance(kept, Tensor) and kept is not new:
                        kept.copy_(new)

    def reset(self) -> None:
        """Forget it all."""
        self._steps.clear()

    def _record(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self._undo += [(tensor, tensor.clone()) for tensor in device.written_by(func, args, kwargs)]
        out = func(*args, **kwargs)
        if not _is_view(func):  # those go on seeing what they were taken of
            self._steps.append((func, args, kwargs, out))
        return out


class Capture:
    """In place of `torch.cuda.graph`."""

    def __init__(self, graph: Graph, pool: object = None, capture_error_mode: str = "global") -> None:
        self._graph = graph

    def __enter__(self) -> None:
        self._graph.begin()

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._graph.end()
        if error is not None:  # as torch has it, which hides the reason
            raise RuntimeError("operation failed due to a previous error during capture")


def _is_view(func: Any) -> bool:
    return any(made.alias_info is not None and not made.alias_info.is_write for made in func._schema.returns)

"""Which layer first made a number that is not finite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.jit import ScriptModule

from engine.guard import Guard, NonFiniteFound, all_finite
from engine.kept import Kept, tensors_of
from engine.tasks.base import Task


def find_layer(task: Task, inputs: Tensor, targets: Tensor) -> str:
    """Take a step again that came to a loss or a gradient that is not finite, and say where that began.

    Weights, buffers and optimizers are left as they were. Random states are the caller's business: the step has to
    draw what it drew before.

    Returns:
        A layer whose inputs were finite, as in `model.layers.3 (BatchNorm2d)`; the parameter whose gradient is, on the
        way back, the first that is not finite; "the data", with a word about it; or "the loss itself". Nothing, where
        this time all went well, or there is no telling.
    """
    try:
        return _taken_again(task, inputs, targets)
    except torch.OutOfMemoryError:  # for the copies it takes: a riddle left is better than another failure
        return ""


def _taken_again(task: Task, inputs: Tensor, targets: Tensor) -> str:
    kept, guard = Kept(tensors_of(task.modules.values()), task.optimizers.values()), task.guard
    task.guard = Guard()
    try:
        with _uncompiled(task), _watching(task.modules) as watch:
            task.train_step(inputs, targets)
    except NonFiniteFound as found:
        if found.what == "gradient":  # forward passes may hold infinities on purpose, such as masks
            return found.name
        # a network may well take data that is not finite, as missing values, and fail at something else
        return watch.culprit or _fault_in_data(inputs, targets) or ("the loss itself" if watch.has_seen else "")
    finally:
        task.guard = guard
        kept.put_back()
    return ""


def _fault_in_data(inputs: Tensor, targets: Tensor) -> str:
    for what, tensor in (("inputs", inputs), ("targets", targets)):
        if not all_finite([tensor]):
            rows = int((~tensor.isfinite()).reshape(len(tensor), -1).any(1).sum())
            return f"the data ({what} of {rows:,} of the batch's {len(tensor):,} rows are not finite)"
    return ""


class _Watch:
    """Finds the first layer that makes something not finite of something finite.

    Layers end their work before those that hold them, so that of nested ones the innermost comes first; one that
    computes with tensors itself, between or after its parts, is named where none of these is to blame.
    """

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        self._names = {
            part: ".".join(filter(None, (key, name))) for key, m in modules.items() for name, part in m.named_modules()
        }
        self._open: list[bool] = []
        """Whether what the layers at work were given was finite: some write their output over it."""
        self.culprit = ""
        self.has_seen = False
        """Whether any layer worked; some networks are not made of layers, or closed."""
        watched = [part for part in self._names if not isinstance(part, ScriptModule)]  # these refuse hooks
        self.handles = [part.register_forward_pre_hook(self._begin, with_kwargs=True) for part in watched]
        self.handles += [part.register_forward_hook(self._end) for part in watched]

    def _begin(self, part: nn.Module, args: Any, kwargs: Any) -> None:
        self._open.append(all_finite([*_tensors(args), *_tensors(kwargs)]))

    def _end(self, part: nn.Module, args: Any, outputs: Any) -> None:
        self.has_seen = True
        was_finite = self._open.pop()
        if was_finite and not self.culprit and not all_finite(list(_tensors(outputs))):
            self.culprit = f"{self._names[part]} ({type(part).__name__})"


@contextmanager
def _watching(modules: Mapping[str, nn.Module]) -> Iterator[_Watch]:
    watch = _Watch(modules)
    try:
        yield watch
    finally:
        for handle in watch.handles:
            handle.remove()


def _tensors(values: Any) -> Iterator[Tensor]:
    """All tensors in nested tuples, lists and dicts."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, Mapping):
        yield from _tensors(list(values.values()))
    elif isinstance(values, (tuple, list)):
        for value in values:
            yield from _tensors(value)


def _uncompiled(task: Task) -> AbstractContextManager[object]:
    """Compiled code calls no hooks; a run that does not compile is spared the import."""
    return torch.compiler.set_stance("force_eager") if task.config.trainer.compile else nullcontext()

"""Which layer first made a number that is not finite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from engine.guard import Guard, NonFiniteFound, all_finite
from engine.kept import Kept
from engine.tasks.base import Task


def find_layer(task: Task, inputs: Tensor, targets: Tensor) -> str:
    """Take a step again that came to a loss or a gradient that is not finite, and say where that began.

    Weights, buffers and optimizers are left as they were. Random states are the caller's business: the step has to
    draw what it drew before.

    Returns:
        A layer, as in `model.layers.3 (BatchNorm2d)`, whose inputs were finite; the parameter whose gradient is the
        first, on the way back, that is not; "the data" or "the loss itself", with a word about it; or nothing, where
        this time all went well.
    """
    if fault := _fault_in_data(inputs, targets):
        return fault
    kept, guard = Kept(task.modules.values(), task.optimizers.values()), task.guard
    task.guard = Guard()
    try:
        with _uncompiled(task), _culprits(task.modules) as culprits:
            task.train_step(inputs, targets)
    except NonFiniteFound as found:
        if found.what == "gradient":  # forward passes may hold infinities on purpose, such as masks
            return found.name
        return culprits[0] if culprits else f"the loss itself ({found.name}; no layer's output)"
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


@contextmanager
def _culprits(modules: Mapping[str, nn.Module]) -> Iterator[list[str]]:
    """Fills the list with the layers that make something not finite of something finite, in the order they do.

    Layers end their work before those that hold them, so that of nested ones the innermost comes first; one that
    computes with tensors itself, between or after its parts, is named where none of these is to blame.
    """
    names = {
        part: ".".join(filter(None, (key, name))) for key, m in modules.items() for name, part in m.named_modules()
    }
    culprits: list[str] = []
    open_: list[bool] = []
    """Whether what the layers at work were given is finite; looked at before they work, since some do so in place."""

    def begin(part: nn.Module, args: Any) -> None:
        open_.append(all_finite(list(_tensors(args))))

    def end(part: nn.Module, args: Any, kwargs: Any, outputs: Any) -> None:
        was_finite = open_.pop() and all_finite(list(_tensors(kwargs)))
        if part in names and was_finite and not all_finite(list(_tensors(outputs))):
            culprits.append(f"{names[part]} ({type(part).__name__})")

    handles = [register_module_forward_pre_hook(begin), register_module_forward_hook(end, with_kwargs=True)]
    try:
        yield culprits
    finally:
        for handle in handles:
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

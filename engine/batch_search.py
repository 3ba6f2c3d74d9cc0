"""After memory ran out: find the batch size that would have fitted, by trying."""

from __future__ import annotations

import gc
import time
import traceback

import torch

from engine.tasks.base import Task

WITHIN_S = 10.0
"""No further size is tried after that; somebody waits for the answer."""
SIGNS = ("not enough memory", "out of memory", "can't allocate memory", "cannot allocate memory", "alloc_failed")
"""How libraries say it that raise nothing more particular than RuntimeError."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory ran out, on the device or on the machine."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, (RuntimeError, OSError)) and any(sign in str(error).lower() for sign in SIGNS)


def free_memory(error: BaseException, task: Task) -> None:
    """Let go of what a step that ran out of memory still held: its frames' variables, its gradients, torch's cache."""
    seen: set[int] = set()
    part: BaseException | None = error
    while part is not None and id(part) not in seen:
        seen.add(id(part))
        traceback.clear_frames(part.__traceback__)
        part = part.__cause__ or part.__context__
    _drop_gradients(task)
    gc.collect()
    if task.device.type == "cuda":
        torch.cuda.empty_cache()


def largest_batch_that_fits(task: Task, failed: int, within_s: float = WITHIN_S) -> int | None:
    """The largest batch of `failed` halved again and again with which `task` can train, or half as much more.

    The weights are of no use afterwards: steps are taken to see whether there is room for them.

    Args:
        task: What ran out of memory, with its memory freed.
        failed: The batch size it was trained with.
        within_s: When to give up.

    Returns:
        A size that was tried; 0 if not even one sample fits; None if that was not found out, or if `failed` does fit:
        then it was something else that there was no memory for.
    """
    until_s = time.monotonic() + within_s
    task.guard = None  # numbers that are not finite are no matter here
    size, fitting = failed // 2, 0
    try:
        if _fits(task, failed, until_s):
            return None
        while size and not fitting:
            fitting, size = (size if _fits(task, size, until_s) else 0), size // 2
        more = fitting + fitting // 2
        if more > fitting and _fits(task, more, until_s):
            fitting = more
    except Exception:  # out of time, or a batch so small that the network refuses it
        return fitting or None
    return fitting


class _OutOfTime(Exception):
    """It takes too long to find out."""


def _fits(task: Task, size: int, until_s: float) -> bool:
    """Whether two steps can be taken: an optimizer's own memory is there from the second on."""
    rows = task.data.train
    try:
        for _ in range(2):
            if time.monotonic() >= until_s:
                raise _OutOfTime
            inputs, targets = rows.inputs[:size].to(task.device), rows.targets[:size].to(task.device)
            task.train_step(task.data.prepare(inputs), targets)
            if task.device.type == "cuda":
                torch.cuda.synchronize(task.device)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        free_memory(error, task)
        return False
    return True


def _drop_gradients(task: Task) -> None:
    for module in task.modules.values():
        for parameter in module.parameters():
            parameter.grad = None

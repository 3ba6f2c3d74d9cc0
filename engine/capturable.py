"""Optimizers in the form a CUDA graph needs, and back: all that changes from step to step in tensors on the device."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

COUNTS = {"step", "mu_product"}
"""What rules count per parameter, in single numbers: on the host, as long as they need not be captured."""


class NotCapturable(Exception):
    """A step can't be captured; the message says why, to be read after "because"."""


def make_capturable(optimizers: Collection[Optimizer], device: torch.device) -> None:
    """Move learning rates and step counts of `optimizers` to `device`, where a graph that is replayed reads them anew.

    Raises:
        NotCapturable: an update rule reads its learning rate on the host; nothing was changed.
    """
    for optimizer in optimizers:
        if not all(group.get("fused") or "capturable" in group for group in optimizer.param_groups):
            raise NotCapturable(f"{type(optimizer).__name__} reads its learning rate on the host")
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = torch.tensor(float(group["lr"]), dtype=torch.float32, device=device)
            if "capturable" in group:
                group["capturable"] = True
        # torch would advise against it at the first step that is taken eagerly, such as an epoch's smaller last one
        optimizer._warned_capturable_if_run_uncaptured = True
        _move_counts(optimizer, device)


def make_plain(optimizers: Collection[Optimizer]) -> None:
    """The other way: a checkpoint may be taken up by another device, and an eager step is faster with plain numbers."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = float(group["lr"])
            if "capturable" in group:
                group["capturable"] = False
        _move_counts(optimizer, torch.device("cpu"))


def _move_counts(optimizer: Optimizer, device: torch.device) -> None:
    """Fused updates count their steps beside the weights in any case."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            state: dict[str, Any] = optimizer.state.get(parameter, {})
            for key in COUNTS & state.keys():
                if isinstance(state[key], Tensor) and not group.get("fused"):
                    state[key] = state[key].to(device)

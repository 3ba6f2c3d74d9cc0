"""Where the samples lie while a run goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch

from engine.data.bundle import DataBundle

SHARE = 0.5
"""Of the device's free memory that samples may take; the rest is for weights, activations and a captured step."""

_log = logging.getLogger(__name__)


def free_bytes_of(device: torch.device) -> int | None:
    """Free memory of a CUDA device; None for devices that share the host's."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def placed(
    data: DataBundle, device: torch.device, free_bytes: Callable[[torch.device], int | None] = free_bytes_of
) -> DataBundle:
    """`data` on `device` as a whole, since a step that indexes it there waits for nothing; left in main memory where it
    does not fit, with a line in the log, and sent in pieces from there."""
    needed_bytes = sum(tensor.nbytes for tensor in data.tensors())
    room_bytes = free_bytes(device)
    if room_bytes is None or needed_bytes <= SHARE * room_bytes:
        return data.to(device)
    _log.info(
        "the data set stays in main memory and is sent in pieces: it takes %.1f GB, and of %.1f GB free on %s no more "
        "than %.0f %% is given to samples",
        needed_bytes / 1e9,
        room_bytes / 1e9,
        device,
        100 * SHARE,
    )
    return data

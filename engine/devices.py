"""Which device a run computes on, and with how many threads."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from engine.cores import find_cores


class DeviceError(Exception):
    """A device that was asked for is not here; the message is one line and says what is."""


def resolve_device(name: str) -> torch.device:
    """The device called `name`; auto takes cuda, then mps, then cpu.

    Raises:
        DeviceError: this box has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name.startswith("cuda"):
        count = torch.cuda.device_count()
        if not count:
            raise DeviceError(f"device '{name}' was asked for, but torch finds no CUDA device: choose auto or cpu")
        index = int(name.partition(":")[2] or 0)
        if index >= count:
            raise DeviceError(f"device '{name}' was asked for, but this box has cuda:0 to cuda:{count - 1}")
        return torch.device("cuda", index)
    if name == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("device 'mps' was asked for, but this box has none: choose auto or cpu")
    return torch.device(name)


def device_name(device: torch.device) -> str:
    """What a person calls the device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Apple GPU"
    return _cpu_model() or platform.processor() or platform.machine() or "CPU"


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return ""


def default_threads() -> int:
    """All cores this process may use but one: a busy neighbour costs a fully taken machine most of its speed."""
    return max(1, find_cores().usable - 1)

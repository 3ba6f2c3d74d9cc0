"""What the machine says of this process: memory, CPU and GPU load."""

from __future__ import annotations

import psutil
import pynvml
import torch

from engine.events import Heartbeat


class MachineGauges:
    """Reads load and memory. Where a gauge can't be read, its value says so."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent()  # the first reading only sets the zero
        self._gpu = None

    def heartbeat(self, step: int, paused: bool, device: torch.device | None) -> Heartbeat:
        """The sign of life at `step`.

        Args:
            step: Steps taken so far.
            paused: Whether training waits.
            device: Where the run computes, None while that is not known. torch's current device differs by thread.
        """
        gpu = device if device is not None and device.type == "cuda" and _cuda_is_up() else None
        return Heartbeat(
            step=step,
            paused=paused,
            memory_bytes=self._process.memory_info().rss,
            cpu_percent=self._process.cpu_percent(),
            gpu_memory_bytes=torch.cuda.memory_reserved(gpu) if gpu else 0,
            gpu_percent=self._gpu_percent(gpu) if gpu else -1.0,
        )

    def _gpu_percent(self, device: torch.device) -> float:
        try:
            if self._gpu is None:
                pynvml.nvmlInit()
                # NVML counts all devices of the box, torch only those it was shown: the UUID names the same one
                uuid = str(torch.cuda.get_device_properties(device).uuid)
                self._gpu = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
            return float(pynvml.nvmlDeviceGetUtilizationRates(self._gpu).gpu)
        except (pynvml.NVMLError, AttributeError, RuntimeError):
            return -1.0


def _cuda_is_up() -> bool:
    """Whether this process computes on CUDA by now; asking must not be what initialises it."""
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]  # torch leaves it untyped

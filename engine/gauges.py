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

    def heartbeat(self, step: int) -> Heartbeat:
        """The sign of life at `step`."""
        return Heartbeat(
            step=step,
            memory_bytes=self._process.memory_info().rss,
            cpu_percent=self._process.cpu_percent(),
            gpu_memory_bytes=torch.cuda.memory_reserved() if self._uses_gpu() else 0,
            gpu_percent=self._gpu_percent() if self._uses_gpu() else -1.0,
        )

    @staticmethod
    def _uses_gpu() -> bool:
        """Whether this process computes on CUDA; asking must not be what initialises it."""
        return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]  # torch leaves it untyped

    def _gpu_percent(self) -> float:
        try:
            if self._gpu is None:
                pynvml.nvmlInit()
                # NVML counts all devices of the box, torch only those it was shown: the UUID names the same one
                uuid = str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid)
                self._gpu = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
            return float(pynvml.nvmlDeviceGetUtilizationRates(self._gpu).gpu)
        except (pynvml.NVMLError, AttributeError, RuntimeError):
            return -1.0

"""What torch finds on this box, as one line of JSON: `python -m engine.probe`. In a process of its own, so that a
torch that is broken or slow breaks or slows nothing else."""

from __future__ import annotations

import gc
import json
from typing import Any

import torch

from engine.cores import find_cores
from engine.devices import default_threads, device_name


def probe() -> dict[str, Any]:
    """Versions and devices."""
    found: dict[str, Any] = {
        "torch": torch.__version__,
        "torch_cuda": torch.version.cuda or "",
        "cuda": [
            {"name": torch.cuda.get_device_name(index), "memory_bytes": torch.cuda.mem_get_info(index)[1]}
            for index in range(torch.cuda.device_count())
        ],
        "mps": torch.backends.mps.is_available(),
        "cpu": device_name(torch.device("cpu")),
        "threads": default_threads(),
        "cores": find_cores()._asdict(),
    }
    try:
        import torchvision
    except Exception as error:  # a torchvision built for another torch fails in many ways
        return found | {"torchvision": "", "torchvision_error": (str(error).splitlines() or ["no reason given"])[0]}
    return found | {"torchvision": torchvision.__version__}


if __name__ == "__main__":
    print(json.dumps(probe()))
    gc.freeze()  # whoever waits for the end of this process need not wait for a search for garbage

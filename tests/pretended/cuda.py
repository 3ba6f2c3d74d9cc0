"""What `torch.cuda` says of the pretended device."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from engine.worker import Worker
from tests.pretended import device
from tests.pretended.graph import Capture, Graph

MEMORY_BYTES = 80 << 30


class _Stream:
    def __init__(self, *_: Any) -> None:
        """There is nothing to wait for."""

    def wait_stream(self, other: _Stream) -> None:
        """It has done everything already."""


def pretend(patch: pytest.MonkeyPatch, free_bytes: int = MEMORY_BYTES) -> ExitStack:
    """Have a CUDA device in this thread, and in every thread that trains.

    Args:
        patch: Takes it all back in the end.
        free_bytes: Memory of the device, all of it free.

    Returns:
        What ends it for this thread when it is closed.
    """
    _seed(torch.initial_seed())
    device.waits.clear()
    patch.setattr(device, "sync_mode", "default")
    for name, stand_in in _functions(free_bytes).items():
        patch.setattr(torch.cuda, name, stand_in)
    patch.setattr(torch.backends.cudnn, "is_acceptable", lambda *_: False)
    patch.setattr(torch, "Generator", _Generator)
    # it asks the accelerator's stream whether it captures; torch before 2.13 knows it by the other name
    for check in ("_accelerator_graph_capture_health_check", "_cuda_graph_capture_health_check"):
        patch.setattr(torch.optim.Optimizer, check, lambda self: None, raising=False)
    # modules can't put tensors of another class into the parameters they have
    patch.setattr(torch.__future__, "get_overwrite_module_params_on_conversion", lambda: True)
    patch.setattr(Worker, "work", _in_its_thread(Worker.work))
    here = ExitStack()
    here.enter_context(device.in_this_thread())
    return here


def _in_its_thread(work: Callable[[Worker], None]) -> Callable[[Worker], None]:
    def working(self: Worker) -> None:
        with device.in_this_thread():
            work(self)

    return working


def _functions(free_bytes: int) -> dict[str, Callable[..., Any]]:
    stream = [_Stream()]
    return {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "set_device": lambda _: None,
        "get_device_name": lambda *_: "a pretended device",
        "mem_get_info": lambda *_: (free_bytes, free_bytes),
        "memory_reserved": lambda *_: 0,
        "empty_cache": lambda: None,
        "synchronize": lambda *_: device.synchronize(),
        "is_bf16_supported": lambda *_, **__: True,
        "Stream": _Stream,
        "stream": lambda _: ExitStack(),
        "current_stream": lambda *_: stream[0],
        "set_stream": lambda chosen: stream.__setitem__(0, chosen),
        "CUDAGraph": Graph,
        "graph": Capture,
        "graph_pool_handle": object,
        "get_sync_debug_mode": lambda: device.sync_mode,
        "set_sync_debug_mode": lambda mode: setattr(device, "sync_mode", mode),
        "get_rng_state": lambda *_: device.random_state.clone(),
        "set_rng_state": lambda state, *_: _seed_with(state),
        "manual_seed": _seed,
        "manual_seed_all": _seed,
        "default_generators": [SimpleNamespace(graphsafe_set_state=lambda _: None)],
    }


class _Generator:
    """Makes generators of the CPU, and for the device what takes a state on its behalf."""

    def __new__(cls, of: Any = "cpu") -> Any:
        return SimpleNamespace(set_state=_seed_with) if torch.device(of).type == "cuda" else torch._C.Generator()


def _seed(seed: int) -> None:
    device.random_state = torch._C.Generator().manual_seed(seed).get_state()


def _seed_with(state: torch.Tensor) -> None:
    device.random_state = state.clone()

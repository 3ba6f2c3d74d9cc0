"""What happens to a capture that breaks off, without a device: torch's part is played by what torch 2.11 did."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import pytest
import torch

from engine import cuda_graph
from engine.cuda_graph import CudaGraphs


class Capture:
    """`torch.cuda.graph`, which takes over the current stream, and keeps it where ending the capture fails."""

    def __init__(self, graph: object, pool: object, capture_error_mode: str) -> None:
        """As torch has it."""

    def __enter__(self) -> None:
        torch.cuda.set_stream("of the capture")  # type: ignore[arg-type]

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            raise RuntimeError("operation failed due to a previous error during capture")
        torch.cuda.set_stream("of the run")  # type: ignore[arg-type]


@pytest.fixture()
def device(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    state: dict[str, Any] = {"stream": "of the run", "forgotten": []}
    stand_ins = {
        "CUDAGraph": lambda: "graph",
        "graph_pool_handle": lambda: "pool",
        "get_rng_state": lambda: "random state",
        "empty_cache": lambda: None,
        "memory_reserved": lambda: 0,
        "current_stream": lambda: state["stream"],
        "set_stream": lambda stream: state.update(stream=stream),
        "graph": Capture,
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    monkeypatch.setattr(cuda_graph, "_forget_capture", lambda *parts: state["forgotten"].append(parts))
    return state


def test_the_reason_is_told_the_stream_is_given_back_and_the_capture_forgotten(device: dict[str, Any]) -> None:
    def work() -> None:
        assert device["stream"] == "of the capture"
        raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(RuntimeError, match="operation not permitted when stream is capturing"):
        CudaGraphs().capture(work)
    assert device["stream"] == "of the run"
    assert device["forgotten"] == [("graph", "pool", "random state")]

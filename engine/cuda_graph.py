"""Capturing work on a CUDA device once, to be launched again as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

T = TypeVar("T")


class CudaGraphs:
    """How steps are captured on CUDA; tests on a CPU bring something that behaves alike."""

    @contextmanager
    def rehearsing(self) -> Iterator[None]:
        """Work that is to be captured afterwards, done for once: on a stream of its own, as capturing wants it, and
        with an error for whatever waits for the device, which a capture could not survive.

        Raises:
            RuntimeError: the work waits for the device.
        """
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call] # torch has not typed it
        stream.wait_stream(torch.cuda.current_stream())
        before = torch.cuda.get_sync_debug_mode()
        try:
            with torch.cuda.stream(stream):
                torch.cuda.set_sync_debug_mode("error")
                yield
        finally:
            torch.cuda.set_sync_debug_mode(before)
            torch.cuda.current_stream().wait_stream(stream)

    def capture(self, work: Callable[[], T]) -> tuple[Callable[[], Any], T]:
        """Capture `work` without doing it.

        Returns:
            What does it, from now on with the numbers that its tensors hold then; and what `work` returned: tensors
            that hold its results after each time.
        """
        graph = torch.cuda.CUDAGraph()
        # other threads, which read the device's memory for instance, are none of its business
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            results = work()
        return graph.replay, results

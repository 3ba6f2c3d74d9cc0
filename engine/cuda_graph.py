"""Capturing work on a CUDA device once, to be launched again as a whole."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor

from engine.capturable import NotCapturable

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
        stream = _side_stream(torch.cuda.current_device())
        stream.wait_stream(torch.cuda.current_stream())
        before = torch.cuda.get_sync_debug_mode()
        try:
            with torch.cuda.stream(stream):
                with warnings.catch_warnings(action="ignore", category=UserWarning):  # that it is a prototype
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

        Raises:
            NotCapturable: captured it keeps so much memory that the same work could not be done beside it.
            RuntimeError: `work` does what can't be captured.
        """
        graph, pool, random_state = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle(), torch.cuda.get_rng_state()
        torch.cuda.empty_cache()
        before_bytes, stream = torch.cuda.memory_reserved(), torch.cuda.current_stream()
        reason: BaseException | None = None
        try:
            # other threads, which read the device's memory for instance, are none of its business
            with torch.cuda.graph(graph, pool, capture_error_mode="thread_local"):
                try:
                    results = work()
                except BaseException as error:
                    reason = error  # ending the capture fails as well, and only says that something has failed before
                    raise
        except BaseException as error:
            torch.cuda.set_stream(stream)  # torch 2.11 and before leave that of the capture
            _forget_capture(graph, pool, random_state)
            raise (reason or error) from None
        kept_bytes = torch.cuda.memory_reserved() - before_bytes
        if torch.cuda.mem_get_info()[0] < kept_bytes:  # an epoch's last batch may be smaller, and is no replay
            raise NotCapturable(f"it would keep {kept_bytes / 1e9:.1f} GB, and leave too little for other steps")
        return graph.replay, results


@cache
def _side_stream(device: int) -> torch.cuda.Stream:
    """One for all rehearsals: libraries keep a workspace for each stream that they have ever seen."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call] # torch has not typed it


def _forget_capture(graph: torch.cuda.CUDAGraph, pool: Any, random_state: Tensor) -> None:
    """After a capture that broke off, torch may still believe in it: it would then give back no memory, and draw no
    random numbers."""
    device = torch.cuda.current_device()
    with suppress(Exception):
        graph.reset()
    with suppress(Exception):  # where torch has noticed, the first of these says so
        torch._C._cuda_endAllocateToPool(device, pool)
        torch._C._cuda_releasePool(device, pool)
    generator, fresh = torch.cuda.default_generators[device], torch.Generator(torch.device("cuda", device))
    fresh.set_state(random_state)
    generator.graphsafe_set_state(fresh)

"""The way events take from the training thread to the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque

from engine.events import AnyEvent, MetricsLogged

CAPACITY = 1 << 14
"""Several times what is handed over at once where every step has a row."""


class Barrier:
    """A place among the events, for a thread that must know that everything before it is on disk."""

    def __init__(self) -> None:
        self._passed = threading.Event()
        self._log_bytes: int | None = None

    def let_pass(self, log_bytes: int | None) -> None:
        """Say that the log holds what came before, in so many bytes; None where it could not be written."""
        self._log_bytes = log_bytes
        self._passed.set()

    def wait(self, timeout_s: float) -> int | None:
        """Size of the log with everything before this in it; None if it is not known to be there in time."""
        self._passed.wait(timeout_s)
        return self._log_bytes


Item = AnyEvent | Barrier


class EventChannel:
    """A bounded queue from one thread to one coroutine. Publishing never waits and never loses a lifecycle event.

    When the reader is slow, neighbouring metrics rows are merged into their mean; everything else is kept whole.

    Args:
        loop: The loop in which `get` is awaited.
        capacity: Events kept apart before merging begins.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, capacity: int = CAPACITY) -> None:
        self._loop = loop
        self._capacity = capacity
        self._queue: asyncio.Queue[Item | None] = asyncio.Queue(capacity)
        self._overflow: deque[Item | None] = deque()
        self._guard = threading.Lock()
        self._transfer_due = False
        self._is_read = True
        self._rest: list[Item | None] = []
        """What was taken out of the queue when reading stopped."""

    def publish(self, *events: AnyEvent) -> None:
        """Hand `events` over; callable from any thread. Those of one call are not parted by those of another, and most
        often got together."""
        self._put(*events)

    def set_barrier(self) -> Barrier:
        """Mark this place; callable from any thread. Whoever takes the barrier out must let it pass."""
        barrier = Barrier()
        self._put(barrier)
        if not self._is_read:  # asked after it was put: whoever stops reading in between finds it, or leaves it to us
            barrier.let_pass(None)
        return barrier

    def close(self) -> None:
        """Say that nothing follows; callable from any thread."""
        self._put(None)

    def stop_reading(self) -> None:
        """Say that `get` is not called any more: nobody need wait at a barrier."""
        with self._guard:
            self._is_read = False
            waiting = [item for item in self._overflow if isinstance(item, Barrier)]
        while not self._queue.empty():
            item = self._queue.get_nowait()
            self._rest.append(item)
            if isinstance(item, Barrier):
                waiting.append(item)
        for barrier in waiting:
            barrier.let_pass(None)

    async def get(self) -> list[Item] | None:
        """Everything published since the last call, at least one item; None once the channel is closed and empty."""
        events: list[Item] = []
        event = await self._queue.get()
        while event is not None:
            events.append(event)
            self._transfer()
            if self._queue.empty() or len(events) >= self._capacity:
                return events
            event = self._queue.get_nowait()
        if events:
            self._queue.put_nowait(None)
            return events
        return None

    def take_all(self) -> list[AnyEvent]:
        """Everything that waits, without waiting; for after the last `publish`."""
        items = self._rest
        while not self._queue.empty():
            items.append(self._queue.get_nowait())
        with self._guard:
            items += self._overflow
            self._overflow.clear()
        return [item for item in items if item is not None and not isinstance(item, Barrier)]

    def _put(self, *items: Item | None) -> None:
        with self._guard:
            for item in items:
                self._wait(item)
            if self._transfer_due:
                return
            self._transfer_due = True
        try:
            self._loop.call_soon_threadsafe(self._transfer)
        except RuntimeError:  # the loop has gone: nobody listens any more, and training must not die of that
            return

    def _wait(self, item: Item | None) -> None:
        waiting = self._overflow
        last = waiting[-1] if waiting else None
        if len(waiting) >= self._capacity and isinstance(item, MetricsLogged) and isinstance(last, MetricsLogged):
            waiting[-1] = merge_rows(last, item)
        else:
            waiting.append(item)

    def _transfer(self) -> None:
        """Move what fits from the threads' side to the loop's side; runs in the loop."""
        with self._guard:
            self._transfer_due = False
            while self._overflow and not self._queue.full():
                self._queue.put_nowait(self._overflow.popleft())


def merge_rows(first: MetricsLogged, second: MetricsLogged) -> MetricsLogged:
    """One row for two that follow each other: means weighted by steps, everything else from the later."""
    steps = first.steps + second.steps
    values: dict[str, float | None] = dict(second.values)
    for key, old in first.values.items():
        new = values.get(key)
        if key not in values or old is None:
            values[key] = old
        elif new is not None:
            values[key] = (old * first.steps + new * second.steps) / steps
    return MetricsLogged(
        step=second.step, at=second.at, steps=steps, elapsed_s=second.elapsed_s, lr=second.lr, values=values
    )

"""Events reach the loop in order, whole, and without the training thread ever waiting."""

from __future__ import annotations

import asyncio
import threading

from engine.channel import EventChannel, merge_rows
from engine.events import AnyEvent, EpochEnded, MetricsLogged


def row(step: int, steps: int = 1, **values: float | None) -> MetricsLogged:
    return MetricsLogged(step=step, at=0.0, steps=steps, elapsed_s=step / 10, lr=0.1, values=values)


async def drain(channel: EventChannel) -> list[AnyEvent]:
    events: list[AnyEvent] = []
    while (batch := await channel.get()) is not None:
        events += batch
    return events


async def test_events_from_a_thread_arrive_in_order_and_then_the_end() -> None:
    channel = EventChannel(asyncio.get_running_loop())
    sent = [row(step, loss=1.0) for step in range(500)]

    def publish() -> None:
        for event in sent:
            channel.publish(event)
        channel.close()

    thread = threading.Thread(target=publish)
    thread.start()
    assert await drain(channel) == sent
    thread.join()


async def test_a_slow_reader_gets_merged_rows_but_every_lifecycle_event() -> None:
    channel = EventChannel(asyncio.get_running_loop(), capacity=8)
    for step in range(1, 1001):
        channel.publish(row(step, loss=float(step)))
        if step % 100 == 0:
            channel.publish(EpochEnded(step=step, epoch=step // 100, elapsed_s=0.0))
    channel.close()
    events = await drain(channel)
    rows = [event for event in events if isinstance(event, MetricsLogged)]
    assert [event.epoch for event in events if isinstance(event, EpochEnded)] == list(range(1, 11))
    assert len(rows) < 50, "merging did not happen"
    assert sum(event.steps for event in rows) == 1000
    mean = sum(event.values["loss"] * event.steps for event in rows) / 1000  # type: ignore[operator]
    assert abs(mean - 500.5) < 1e-9
    assert [event.step for event in events] == sorted(event.step for event in events)


async def test_what_is_published_together_is_got_together() -> None:
    channel = EventChannel(asyncio.get_running_loop())
    rows = [row(step, loss=1.0) for step in range(500)]
    thread = threading.Thread(target=channel.publish, args=rows)
    thread.start()
    assert await channel.get() == rows
    thread.join()


async def test_publishing_outlives_the_loop() -> None:
    loop = asyncio.new_event_loop()
    channel = EventChannel(loop)
    loop.close()
    channel.publish(row(1, loss=1.0))
    channel.publish(row(2, loss=1.0))


def test_merging_weighs_by_steps_and_keeps_what_only_one_row_has() -> None:
    merged = merge_rows(row(2, steps=2, loss=1.0, once=5.0), row(3, steps=1, loss=4.0))
    assert (merged.step, merged.steps) == (3, 3)
    assert merged.values == {"loss": 2.0, "once": 5.0}


def test_merging_never_hides_a_value_that_was_not_finite() -> None:
    assert merge_rows(row(1, loss=None), row(2, loss=1.0)).values == {"loss": None}
    assert merge_rows(row(1, loss=1.0), row(2, loss=None)).values == {"loss": None}

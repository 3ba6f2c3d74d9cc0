"""Many rows of a log at once: decoded into columns, without an event for each."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, Union

import msgspec

from engine import events as ev
from engine.run_log import LogReader

BLOCK_BYTES = 256 << 10
"""What is decoded in one piece: about a millisecond, and less than a core's cache holds."""
SMALL_BYTES = 4 << 10
"""Less is as quickly taken one by one."""
MOST_KEYS = 64
"""Rows of more metrics are taken one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What one `MetricsLogged` after another says, with the heartbeats among them, in columns of equal length.

    Where among the rows the heartbeats stand makes no difference to what is known of a run after all of them.
    """

    events: int
    """How many events these are."""
    at: float
    """The latest of their instants."""
    step: int
    """The furthest of their steps."""
    heartbeat: ev.Heartbeat | None
    """The last of them."""
    steps: array[int]
    elapsed_s: array[float]
    lr: float
    """The last of them."""
    values: dict[str, array[float]]
    """By their keys; NaN where a value was not finite."""

    def __len__(self) -> int:
        return len(self.steps)


HistoryItem = ev.AnyEvent | Rows


class HistoryReader(LogReader[HistoryItem]):
    """Reads an event log for whoever folds it: most rows come in columns, everything else as events, in order.

    A log whose rows are all of the same metrics, as those of a run are, is read ten times as fast as event by event.
    Folded it gives the same.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, ev.decode)
        self._keys: tuple[str, ...] = ()
        self._block = _BlockDecoder(())

    def _items(self, data: bytes, begin: int, end: int) -> list[HistoryItem]:
        items: list[HistoryItem] = []
        while begin < end:
            until = min(end, begin + BLOCK_BYTES)
            block_end = data.rfind(b"\n", begin, until) + 1 or data.index(b"\n", begin) + 1
            items += self._items_of_block(data, begin, block_end)
            begin = block_end
        return items

    def _items_of_block(self, data: bytes, begin: int, end: int) -> Sequence[HistoryItem]:
        if SMALL_BYTES < end - begin <= BLOCK_BYTES:
            if self._block.keys != self._keys:
                self._block = _BlockDecoder(self._keys)
            items = self._block.decode(memoryview(data)[begin:end])
            if items is not None:
                self._line += sum(item.events if isinstance(item, Rows) else 1 for item in items)
                return items
        events = super()._items(data, begin, end)
        last = next((event for event in reversed(events) if isinstance(event, ev.MetricsLogged)), None)
        self._keys = tuple(last.values) if last is not None else self._keys
        return events


class _BlockDecoder:
    """Decodes whole lines of which all `MetricsLogged` have the metrics `keys`."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.keys = keys
        self._names = [f"v{index}" for index in range(len(keys))]
        self._row: type[Any] | None = None
        self._decode: Callable[[memoryview], list[Any]] = list
        if 0 < len(keys) <= MOST_KEYS:
            with suppress(ValueError):  # control characters and the like in a key
                self._row = _row_type(keys, self._names)
                others = [one for one in ev.AnyEvent.__args__ if one is not ev.MetricsLogged]
                self._decode = msgspec.json.Decoder(Union[(self._row, *others)]).decode_lines

    def decode(self, block: memoryview) -> list[HistoryItem] | None:
        """The events of a block, or None where its lines have to be looked at one by one."""
        if self._row is None:
            return None
        try:
            events = self._decode(block)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None
        return self._gathered(events) if _lines_in_braces(block) == len(events) else None

    def _gathered(self, events: list[Any]) -> list[HistoryItem]:
        types = list(map(type, events))
        items: list[HistoryItem] = []
        start = 0
        for end in _places(types, set(types) - {self._row, ev.Heartbeat}):
            items += self._columns(events[start:end], types[start:end])
            items.append(events[end])
            start = end + 1
        return items + self._columns(events[start:], types[start:])

    def _columns(self, events: list[Any], types: list[type[Any]]) -> list[HistoryItem]:
        """Rows and heartbeats, as one item if there are rows among them."""
        beats = [events[at] for at in _places(types, {ev.Heartbeat})]
        if len(beats) == len(events):
            return beats
        rows = [event for event in events if type(event) is self._row] if beats else events
        cells = [row.values for row in rows]
        steps = _packed("q", [row.step for row in rows])
        item = Rows(
            events=len(events),
            at=max([event.at for event in events]),
            step=max(max(steps), max([beat.step for beat in beats], default=0)),
            heartbeat=beats[-1] if beats else None,
            steps=steps,
            elapsed_s=_packed("d", [row.elapsed_s for row in rows]),
            lr=rows[-1].lr,
            values={
                key: _packed("d", list(map(attrgetter(name), cells)))
                for key, name in zip(self.keys, self._names, strict=True)
            },
        )
        return [item]


def _lines_in_braces(block: memoryview) -> int:
    """How many lines there are; 0 unless each begins and ends with a brace.

    No value reaches over such a line's end: if there are as many values as lines, each line is one.
    """
    import numpy as np  # not before a log is read

    letters = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(letters == ord("\n"))
    is_framed = (letters[ends - 1] == ord("}")).all() and (letters[ends[:-1] + 1] == ord("{")).all()
    return len(ends) if is_framed and letters[0] == ord("{") else 0


def _places(types: list[type[Any]], wanted: set[Any]) -> list[int]:
    """Where in `types` any of `wanted` stands; made for few of them among many."""
    places = []
    for one in wanted:
        at = -1
        with suppress(ValueError):
            while True:
                places.append(at := types.index(one, at + 1))
    return sorted(places)


def _packed(code: Literal["q", "d"], values: list[Any]) -> array[Any]:
    column: array[Any] = array(code)
    try:
        column.frombytes(struct.pack(f"{len(values)}{code}", *values))  # three times as fast as from the list itself
    except struct.error:  # a value was not finite
        column.extend(math.nan if value is None else value for value in values)
    return column


def _row_type(keys: Sequence[str], names: Sequence[str]) -> type[Any]:
    """`MetricsLogged` with just these metrics, as cheap as can be to decode: no dictionary, nothing to collect."""
    values = msgspec.defstruct(
        "Values",
        [(name, float | None, msgspec.field(name=key)) for key, name in zip(keys, names, strict=True)],
        forbid_unknown_fields=True,
        gc=False,
    )
    config = ev.MetricsLogged.__struct_config__
    fields = [
        (
            field.name,
            values if field.name == "values" else field.type,
            msgspec.field(default_factory=field.default_factory) if field.name == "at" else msgspec.NODEFAULT,
        )
        for field in msgspec.structs.fields(ev.MetricsLogged)
    ]
    return msgspec.defstruct("Row", fields, tag=config.tag, tag_field=config.tag_field, kw_only=True, gc=False)

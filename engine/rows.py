"""Many rows of a log at once: decoded into columns, without an event for each."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union

import msgspec

from engine import events as ev
from engine.run_log import LogReader

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.row_table import Columns

BLOCK_BYTES = 512 << 10
"""What is read as a table: a few milliseconds, in which the calls it takes don't count."""
PIECE_BYTES = 128 << 10
"""What is decoded in one piece where it is no table: less than a core's cache holds."""
SMALL_BYTES = 4 << 10
"""Less is as quickly taken one by one."""
RETRY_AFTER = 15
"""So many blocks are not tried as tables after one that was none: most often those after it are none either."""
MOST_KEYS = 64
"""Rows of more metrics are taken one by one."""
_BEGIN = b'{"event":"M'
"""No event but a row begins like this."""


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

    A log whose rows are all of the same metrics, as those of a run are, is read many times as fast as event by event.
    Folded it gives the same.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, ev.decode)
        self._keys: tuple[str, ...] = ()
        self._block = _BlockDecoder(())

    def _items(self, data: bytes, begin: int, end: int) -> list[HistoryItem]:
        items: list[HistoryItem] = []
        for start, stop in _pieces(data, begin, end, BLOCK_BYTES):
            items += self._items_of_block(data, start, stop)
        return items

    def _items_of_block(self, data: bytes, begin: int, end: int) -> Sequence[HistoryItem]:
        if SMALL_BYTES < end - begin <= BLOCK_BYTES:
            if self._block.keys != self._keys:
                self._block = _BlockDecoder(self._keys)
            items = self._block.decode(data[begin:end])
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
        self._no_table_for = 0
        self._decode: Callable[[memoryview | bytes], list[Any]] = list
        if 0 < len(keys) <= MOST_KEYS:
            from engine.row_table import RowTable  # brings numpy, not before a log is read

            with suppress(ValueError):  # control characters and the like in a key
                self._table = RowTable(keys)
                self._row = _row_type(keys, self._names)
                others = [one for one in ev.AnyEvent.__args__ if one is not ev.MetricsLogged]
                self._decode = msgspec.json.Decoder(Union[(self._row, *others)]).decode_lines

    def decode(self, block: bytes) -> list[HistoryItem] | None:
        """The events of a block, or None where its lines have to be looked at one by one."""
        if self._row is None:
            return None
        if self._no_table_for:
            self._no_table_for -= 1
            return self._decoded(block)
        rows, lines, places = _parted(block)
        columns = self._table.columns(rows)
        if columns is None:
            self._no_table_for = RETRY_AFTER
            return self._decoded(block)
        others = self._events(lines)
        if others is None or len(others) != len(places) or self._row in map(type, others):
            return None
        return _items(columns, others, places)

    def _decoded(self, block: bytes) -> list[HistoryItem] | None:
        items: list[HistoryItem] = []
        for start, stop in _pieces(block, 0, len(block), PIECE_BYTES):
            events = self._events(block[start:stop])
            if events is None:
                return None
            items += self._gathered(events)
        return items

    def _gathered(self, events: list[Any]) -> list[HistoryItem]:
        types = list(map(type, events))
        at = _places(types, set(types) - {self._row})
        rows = [event for event in events if type(event) is self._row] if at else events
        columns = self._columns(rows)
        return _items(columns, [events[place] for place in at], [place - number for number, place in enumerate(at)])

    def _events(self, lines: bytes) -> list[Any] | None:
        """An event for each line; None if that is not what they are."""
        try:
            events = self._decode(lines)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None
        return events if _lines_in_braces(lines) == len(events) else None

    def _columns(self, rows: list[Any]) -> Columns:
        from engine.row_table import Columns

        cells = [row.values for row in rows]
        return Columns(
            steps=_packed("q", [row.step for row in rows]),
            at=_packed("d", [row.at for row in rows]),
            elapsed_s=_packed("d", [row.elapsed_s for row in rows]),
            values={
                key: _packed("d", list(map(attrgetter(name), cells)))
                for key, name in zip(self.keys, self._names, strict=True)
            },
            lr=lambda row: rows[row].lr,
        )


def _pieces(data: bytes, begin: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """Where pieces of whole lines begin and end: of at most `size` bytes, or else one line."""
    while begin < end:
        stop = data.rfind(b"\n", begin, min(end, begin + size)) + 1 or data.index(b"\n", begin) + 1
        yield begin, stop
        begin = stop


def _parted(block: bytes) -> tuple[bytes, bytes, list[int]]:
    """Lines that begin as rows do, the others, and before which of the rows each of these stands."""
    import numpy as np

    letters = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(letters == ord("\n")) + 1
    starts = np.empty_like(ends)
    starts[0], starts[1:] = 0, ends[:-1]
    others = np.flatnonzero(letters.take(starts + len(_BEGIN) - 1, mode="clip") != _BEGIN[-1])
    rows, lines, begin = [], [], 0
    for start, end in zip(starts[others].tolist(), ends[others].tolist(), strict=True):
        rows.append(block[begin:start])
        lines.append(block[start:end])
        begin = end
    places = (others - np.arange(len(others))).tolist()
    return b"".join([*rows, block[begin:]]), b"".join(lines), places


def _items(columns: Columns, others: list[Any], places: list[int]) -> list[HistoryItem]:
    """Rows as few items as can be, with all but heartbeats in their places among them."""
    items: list[HistoryItem] = []
    beats: list[ev.Heartbeat] = []
    begin = 0
    for event, place in zip(others, places, strict=True):
        if type(event) is ev.Heartbeat:
            beats.append(event)
            continue
        items += _stretch(columns, begin, place, beats)
        items.append(event)
        beats, begin = [], place
    return [*items, *_stretch(columns, begin, len(columns.steps), beats)]


def _stretch(columns: Columns, begin: int, end: int, beats: list[ev.Heartbeat]) -> Sequence[HistoryItem]:
    """Rows and heartbeats, as one item if there are rows among them."""
    if begin == end:
        return beats
    rows = slice(begin, end)
    item = Rows(
        events=end - begin + len(beats),
        at=max([float(columns.at[rows].max()), *(beat.at for beat in beats)]),
        step=max([int(columns.steps[rows].max()), *(beat.step for beat in beats)]),
        heartbeat=beats[-1] if beats else None,
        steps=array("q", columns.steps[rows].tobytes()),
        elapsed_s=array("d", columns.elapsed_s[rows].tobytes()),
        lr=columns.lr(end - 1),
        values={key: array("d", column[rows].tobytes()) for key, column in columns.values.items()},
    )
    return [item]


def _lines_in_braces(block: bytes) -> int:
    """How many lines there are; 0 unless each begins and ends with a brace.

    No value reaches over such a line's end: if there are as many values as lines, each line is one.
    """
    import numpy as np

    if not block:
        return 0
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


def _packed(code: Literal["q", "d"], values: list[Any]) -> NDArray[Any]:
    import numpy as np

    try:
        packed = struct.pack(f"{len(values)}{code}", *values)  # three times as fast as from the list itself
    except struct.error:  # a value was not finite
        packed = array(code, [math.nan if value is None else value for value in values]).tobytes()
    return np.frombuffer(packed, code)


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

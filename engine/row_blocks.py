"""Decodes blocks of a log whose rows are all of the same metrics: a table where it can be, else many lines at once."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import chain
from operator import attrgetter
from typing import Any, Literal, Union

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine import events as ev
from engine.columns import Columns, Ints
from engine.event_lines import RowsLogged
from engine.row_table import RowTable
from engine.rows import HistoryItem, Rows
from engine.run_log import pieces

PIECE_BYTES = 128 << 10
"""What is decoded in one piece where it is no table: less than a core's cache holds."""
RETRY_AFTER = 15
"""So many blocks are not tried as tables after one that was none: most often those after it are none either."""
MOST_KEYS = 64
"""Rows of more metrics are taken one by one."""
_KIND_AT = len(b'{"event":"')
"""Where the name of an event begins in its line."""


class BlockDecoder:
    """Decodes whole lines of which all rows have the metrics `keys`."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.keys = keys
        self._names = [f"v{index}" for index in range(len(keys))]
        self._row: type[Any] | None = None
        self._line: type[Any] | None = None
        self._no_table_for = 0
        self._decode: Callable[[memoryview | bytes], list[Any]] = list
        if 0 < len(keys) <= MOST_KEYS:
            with suppress(ValueError):  # control characters in a key, or digits and digits
                self._table = RowTable(keys)
                self._row = _slim(ev.MetricsLogged, keys, self._names, float | None)
                self._line = _slim(RowsLogged, keys, self._names, list[float | None])
                others = [one for one in ev.AnyEvent.__args__ if one is not ev.MetricsLogged]
                self._decode = msgspec.json.Decoder(Union[(self._row, self._line, *others)]).decode_lines

    def decode(self, block: bytes) -> list[HistoryItem] | None:
        """What a block tells, or None where its lines have to be looked at one by one."""
        if self._row is None:
            return None
        if self._no_table_for:
            self._no_table_for -= 1
            return self._decoded(block)
        rows, line_ends, lines, rows_before = _parted(block)
        table = self._table.columns(rows, line_ends) if rows else None
        if table is None:
            self._no_table_for = RETRY_AFTER
            return self._decoded(block)
        columns, counts = table
        others = self._events(lines)
        if others is None or len(others) != len(rows_before) or {self._row, self._line} & set(map(type, others)):
            return None
        return _items(columns, counts, others, rows_before)

    def _decoded(self, block: bytes) -> list[HistoryItem] | None:
        items: list[HistoryItem] = []
        for start, stop in pieces(block, 0, len(block), PIECE_BYTES):
            events = self._events(block[start:stop])
            gathered = None if events is None else self._gathered(events)
            if gathered is None:
                return None
            items += gathered
        return items

    def _events(self, lines: bytes) -> list[Any] | None:
        """An event for each line; None if that is not what they are."""
        try:
            events = self._decode(lines)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None
        return events if _lines_in_braces(lines) == len(events) else None

    def _gathered(self, events: list[Any]) -> list[HistoryItem] | None:
        """As few items as can be; None if columns that share a line are not of one length."""
        types, of_rows = list(map(type, events)), {self._row, self._line}
        at = _places(types, set(types) - of_rows)
        lines = [event for event in events if type(event) in of_rows] if at else events
        counts = [len(line.step) if type(line) is self._line else 1 for line in lines]
        try:
            columns = self._columns(lines, counts if self._line in types else None)
        except ValueError:
            return None
        return _items(columns, counts, [events[place] for place in at], [place - n for n, place in enumerate(at)])

    def _columns(self, lines: list[Any], counts: list[int] | None) -> Columns:
        """The columns of all rows in `lines`, of so many each; None where each is of one row alone.

        Raises:
            ValueError: those of a line are not of one length, or there is nothing in them.
        """

        def joined(column: Iterable[Any]) -> list[Any]:
            if counts is None:
                return list(column)
            parts = [part if type(part) is list else [part] * count for part, count in zip(column, counts, strict=True)]
            if 0 in counts or list(map(len, parts)) != counts:
                raise ValueError
            return list(chain.from_iterable(parts))

        joined(line.steps for line in lines)  # nobody needs them, but they must be as many
        cells = [line.values for line in lines]
        return Columns(
            steps=_packed("q", joined(line.step for line in lines)),
            at=_packed("d", joined(line.at for line in lines)),
            elapsed_s=_packed("d", joined(line.elapsed_s for line in lines)),
            values={
                key: _packed("d", joined(map(attrgetter(name), cells)))
                for key, name in zip(self.keys, self._names, strict=True)
            },
            lr=joined(line.lr for line in lines).__getitem__,
        )


def _parted(block: bytes) -> tuple[bytes, Ints, bytes, list[int]]:
    """Lines that begin as rows do, and where they end; the others, and how many of the first are before each."""
    letters = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(letters == ord("\n")) + 1
    starts = np.append(0, ends[:-1])
    # no other event's name begins with an M, or with an R and has a w at that place
    first, third = (letters.take(starts + _KIND_AT + place, mode="clip") for place in (0, 2))
    others = np.flatnonzero((first != ord("M")) & ((first != ord("R")) | (third != ord("w"))))
    rows, lines, begin = [], [], 0
    for start, end in zip(starts[others].tolist(), ends[others].tolist(), strict=True):
        rows.append(block[begin:start])
        lines.append(block[start:end])
        begin = end
    line_ends = np.cumsum(np.delete(ends - starts, others))
    return b"".join([*rows, block[begin:]]), line_ends, b"".join(lines), (others - np.arange(len(others))).tolist()


def _items(columns: Columns, counts: Ints | list[int], others: list[Any], lines_before: list[int]) -> list[HistoryItem]:
    """Rows, so many in each line, as few items as can be, with all but heartbeats in their places among them."""
    places = np.append(0, np.cumsum(counts, dtype=np.int64))[lines_before].tolist()
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
    try:
        packed = struct.pack(f"{len(values)}{code}", *values)  # three times as fast as from the list itself
    except struct.error:  # a value was not finite
        packed = array(code, [math.nan if value is None else value for value in values]).tobytes()
    return np.frombuffer(packed, code)


def _slim(kind: type[msgspec.Struct], keys: Sequence[str], names: Sequence[str], cell: Any) -> type[Any]:
    """`kind` with just these metrics, as cheap as can be to decode: no dictionary, nothing to collect."""
    values = msgspec.defstruct(
        "Values",
        [(name, cell, msgspec.field(name=key)) for key, name in zip(keys, names, strict=True)],
        forbid_unknown_fields=True,
        gc=False,
    )
    fields = [
        (
            field.name,
            values if field.name == "values" else field.type,
            msgspec.NODEFAULT if field.required else msgspec.field(default_factory=field.default_factory),
        )
        for field in msgspec.structs.fields(kind)
    ]
    config = kind.__struct_config__
    return msgspec.defstruct("Slim", fields, tag=config.tag, tag_field=config.tag_field, kw_only=True, gc=False)

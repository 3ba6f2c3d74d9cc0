"""Decodes blocks of a log whose rows are all of the same metrics: a table where it can be, else many lines at once."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import accumulate, chain
from operator import attrgetter
from typing import Any, Literal, Union

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine import events as ev
from engine.columns import Columns
from engine.event_lines import RowsLogged
from engine.line_forms import NO_ROWS, forms_in
from engine.log_block import LogBlock, are_framed
from engine.row_table import RowTable
from engine.rows import HistoryItem, Rows
from engine.run_log import pieces

PIECE_BYTES = 128 << 10
"""What is decoded in one piece where it is no table: less than a core's cache holds."""
TABLE_BYTES = 192 << 10
"""A smaller block is sooner decoded than read as a table, whose calls take their time however little there is."""
RETRY_AFTER = 15
"""So many blocks are not tried as tables after one that was none: most often those after it are none either."""
MOST_KEYS = 64
"""Rows of more metrics are taken one by one."""
_AT, _STEP = attrgetter("at"), attrgetter("step")


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
            with suppress(ValueError):  # control characters in a key, or commas
                self._table = RowTable(keys)
                self._row = _slim(ev.MetricsLogged, keys, self._names, float | None)
                self._line = _slim(RowsLogged, keys, self._names, list[float | None])
                others = [one for one in ev.AnyEvent.__args__ if one is not ev.MetricsLogged]
                self._decode = msgspec.json.Decoder(Union[(self._row, self._line, *others)]).decode_lines

    def decode(self, block: bytes | memoryview) -> tuple[list[HistoryItem], int] | None:
        """What a block tells, and in how many lines; None where these have to be looked at one by one."""
        if self._row is None:
            return None
        if len(block) < TABLE_BYTES:
            return self._decoded(block)
        if self._no_table_for:
            self._no_table_for -= 1
            return self._decoded(block)
        lines = LogBlock(block)
        if not lines.is_framed:
            return None
        forms = forms_in(lines)
        table = self._table.columns(lines, forms)
        if table is None:
            self._no_table_for = RETRY_AFTER
            return self._decoded(block)
        columns, counts = table
        at = np.flatnonzero(forms == NO_ROWS)
        places = zip(lines.starts[at].tolist(), lines.ends[at].tolist(), strict=True)
        others = self._events(b"".join([lines.text[start:end] for start, end in places]))
        if others is None or len(others) != len(at) or {self._row, self._line} & set(map(type, others)):
            return None
        return _items(columns, others, (np.cumsum(counts) - counts)[at].tolist()), len(counts)

    def _decoded(self, block: bytes | memoryview) -> tuple[list[HistoryItem], int] | None:
        text, items, lines = bytes(block), list[HistoryItem](), 0
        for start, stop in pieces(text, 0, len(text), PIECE_BYTES):
            events = self._events(text[start:stop])
            gathered = None if events is None else self._gathered(events)
            if events is None or gathered is None:
                return None
            items += gathered
            lines += len(events)
        return items, lines

    def _events(self, lines: bytes) -> list[Any] | None:
        """An event for each line; None if that is not what they are."""
        try:
            events = self._decode(lines)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None
        return events if _framed_lines(lines) == len(events) else None

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
        before = [0, *accumulate(counts)]
        return _items(columns, [events[place] for place in at], [before[place - n] for n, place in enumerate(at)])

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
            lr=_packed("d", joined(line.lr for line in lines)),
        )


def _items(columns: Columns, others: list[Any], rows_before: list[int]) -> list[HistoryItem]:
    """Rows as few items as can be, with all but heartbeats in their places among them: behind so many rows each."""
    items: list[HistoryItem] = []
    beats: list[ev.Heartbeat] = []
    begin = 0
    for event, place in zip(others, rows_before, strict=True):
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
        at=max([float(columns.at[rows].max()), *map(_AT, beats)]),
        step=max([int(columns.steps[rows].max()), *map(_STEP, beats)]),
        heartbeat=beats[-1] if beats else None,
        steps=array("q", columns.steps[rows].tobytes()),
        elapsed_s=array("d", columns.elapsed_s[rows].tobytes()),
        lr=float(columns.lr[end - 1]),
        values={key: array("d", column[rows].tobytes()) for key, column in columns.values.items()},
    )
    return [item]


def _framed_lines(block: bytes) -> int | None:
    """How many lines there are; None unless all are framed: an empty one is counted too, but tells of nothing."""
    if not block:
        return 0
    letters = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(letters == ord("\n")) + 1
    return len(ends) if are_framed(letters, np.append(0, ends)[:-1], ends) else None


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

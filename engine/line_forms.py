"""How lines of rows look: all but their numbers is known beforehand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import Enum, auto
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine import events as ev
from engine.event_lines import RowsLogged
from engine.log_block import LogBlock

NO_ROWS, ALONE, STEADY, LISTED = -1, 0, 1, 2
"""Forms of lines: none of rows; one row; several that cover as many steps at the same learning rate; any others."""
_KIND_AT = len(b'{"event":"')
_STEPS_AT = len(b'{"event":"RowsLogged","steps":')


class Kind(Enum):
    """What numbers a field may have."""

    COUNT = auto()
    COVERED = auto()
    """Steps that a row covers: nobody who reads columns asks for them, but they must be some."""
    SECONDS = auto()
    RATE = auto()
    VALUE = auto()
    """Of a metric; null if it was not finite."""


_KINDS = {
    "step": Kind.COUNT,
    "steps": Kind.COVERED,
    "at": Kind.SECONDS,
    "elapsed_s": Kind.SECONDS,
    "lr": Kind.RATE,
}


class Field(NamedTuple):
    """A number of a line, or a column of numbers."""

    name: str
    """That of the event's field, or the metric's key."""
    kind: Kind
    is_column: bool
    text: bytes
    """What stands before it, from the end of the number before; one comma is in it."""
    comma_at: int
    """Where in `text`."""


class LineForm:
    """A kind of line as an engine writes it: some numbers, each behind a comma.

    Args:
        kind: What it tells.
        keys: The metrics.
        columns: The fields that have a number for each row; none if the line has but one row.

    Raises:
        ValueError: there is a comma in a metric's name.
    """

    def __init__(self, kind: type[msgspec.Struct], keys: Sequence[str], columns: Collection[str] = ()) -> None:
        self.fields: list[Field] = []
        self._rest = b'{"event":"' + kind.__name__.encode() + b'"'
        for name in (field.name for field in msgspec.structs.fields(kind)):
            self._rest += b"," + msgspec.json.encode(name) + b":"
            if name != "values":
                self._add(name, _KINDS[name], name in columns)
                continue
            for number, key in enumerate(keys):
                self._rest += (b"," if number else b"{") + msgspec.json.encode(key) + b":"
                self._add(key, Kind.VALUE, bool(columns))
            self._rest += b"}"
        self.end = self._rest + b"}\n"
        """What stands behind the last number."""
        self.column_count = sum(field.is_column for field in self.fields)
        self.single_count = len(self.fields) - self.column_count

    def _add(self, name: str, kind: Kind, is_column: bool) -> None:
        text = self._rest + b"[" * is_column
        if text.count(b",") != 1:
            raise ValueError("a comma in a name")
        self.fields.append(Field(name, kind, is_column, text, text.index(b",")))
        self._rest = b"]" * is_column


def forms_of(keys: Sequence[str]) -> dict[int, LineForm]:
    """How lines of rows look whose metrics are `keys`.

    Raises:
        ValueError: there is a comma in a metric's name.
    """
    return {
        ALONE: LineForm(ev.MetricsLogged, keys),
        STEADY: LineForm(RowsLogged, keys, ("step", "elapsed_s")),
        LISTED: LineForm(RowsLogged, keys, ("step", "elapsed_s", "steps", "lr")),
    }


def forms_in(block: LogBlock) -> NDArray[np.int8]:
    """(lines,) what lines are, if they are what they begin as."""
    # no other event's name begins with an M, or with an R and has a w at that place
    first, third, steps = (
        block.letters.take(block.starts + at, mode="clip") for at in (_KIND_AT, _KIND_AT + 2, _STEPS_AT)
    )
    forms = np.full(len(block.starts), NO_ROWS, np.int8)
    forms[first == ord("M")] = ALONE
    is_together = (first == ord("R")) & (third == ord("w"))
    forms[is_together] = STEADY
    forms[is_together & (steps == ord("["))] = LISTED
    return forms

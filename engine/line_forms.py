"""How lines of rows look: all but their numbers is known beforehand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from engine import events as ev
from engine.event_lines import RowsLogged
from engine.log_block import ALONE, LISTED, STEADY


class Known(NamedTuple):
    """A number that is written alike in all lines; its place in the text that it is part of."""

    name: str
    begin: int
    end: int


class Field(NamedTuple):
    """A number of a line, or a column of numbers."""

    name: str
    """That of the event's field, or the metric's key."""
    is_value: bool
    """Whether it is a metric."""
    is_column: bool
    text: bytes
    """What stands before it, from the end of the number before that is not known."""
    commas: int
    """How many are in `text`; at least one."""
    comma: int
    """Where the first of them stands."""
    known: Sequence[Known]
    """In `text`."""


class LineForm:
    """A kind of line as an engine writes it: some numbers, each behind a comma.

    Args:
        kind: What it tells.
        keys: The metrics.
        columns: The fields that have a number for each row; none if the line has but one row.
        known: Fields that are the same in all lines, as they are written there.

    Raises:
        ValueError: there is a comma in a metric's name.
    """

    def __init__(
        self,
        kind: type[msgspec.Struct],
        keys: Sequence[str],
        columns: Collection[str] = (),
        known: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        self._made_of = kind, keys, columns
        self.fields: list[Field] = []
        self._rest, self._known_here = b'{"event":"' + kind.__name__.encode() + b'"', list[Known]()
        for field in msgspec.structs.fields(kind):
            self._rest += b"," + msgspec.json.encode(field.name) + b":"
            if field.name == "values":
                self._add_values(keys, is_column=bool(columns))
            elif field.name in known:
                begin, self._rest = len(self._rest), self._rest + known[field.name]
                self._known_here.append(Known(field.name, begin, len(self._rest)))
            else:
                self._add(field.name, field.name in columns)
        self.end = self._rest + b"}\n"
        """What stands behind the last number."""
        self.column_count = sum(field.is_column for field in self.fields)
        self.single_count = len(self.fields) + len(known) - self.column_count

    def knowing(self, known: Mapping[str, bytes]) -> LineForm:
        """The same, of lines that have these fields in common."""
        return LineForm(*self._made_of, known)

    def _add_values(self, keys: Sequence[str], is_column: bool) -> None:
        for number, key in enumerate(keys):
            name = msgspec.json.encode(key)
            if b"," in name:
                raise ValueError("a comma in a name")
            self._rest += (b"," if number else b"{") + name + b":"
            self._add(key, is_column, is_value=True)
        self._rest += b"}"

    def _add(self, name: str, is_column: bool, is_value: bool = False) -> None:
        text = self._rest + b"[" * is_column
        self.fields.append(Field(name, is_value, is_column, text, text.count(b","), text.index(b","), self._known_here))
        self._rest, self._known_here = b"]" * is_column, []


def forms_of(keys: Sequence[str]) -> dict[int, LineForm]:
    """How lines of rows look, by the forms of `engine.log_block`.

    Raises:
        ValueError: there is a comma in a metric's name.
    """
    return {
        ALONE: LineForm(ev.MetricsLogged, keys),
        STEADY: LineForm(RowsLogged, keys, ("step", "elapsed_s")),
        LISTED: LineForm(RowsLogged, keys, ("step", "elapsed_s", "steps", "lr")),
    }

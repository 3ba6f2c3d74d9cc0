"""Rows of a log that differ in nothing but their numbers, read as a table: no Python for each of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine import events as ev
from engine.columns import Columns, Floats, Ints
from engine.event_lines import MOST_NUMBERS
from engine.line_forms import Field, LineForm, forms_of
from engine.log_block import LISTED, LogBlock
from engine.numerals import Bools, Numerals

MOST_SECONDS = 1e11
"""Less, and not less than 0, is a valid time."""
_count_of, _seconds_of, _rate_of, _value_of = (
    msgspec.json.Decoder(kind).decode for kind in (ev.Count, ev.Duration, float, float | None)
)
N = TypeVar("N", bound=np.generic)


class _Unlike(ValueError):
    """A line is not as an engine writes it."""


class _Part(NamedTuple):
    """What lines say: (rows,) by the names of fields."""

    facts: dict[str, NDArray[Any]]
    """Of learning rates, where they begin and end: (rows, 2)."""
    values: dict[str, Floats]


class _Lines(NamedTuple):
    """Lines of one form: (lines,) each."""

    starts: Ints
    ends: Ints
    first_marks: Ints
    rows: Ints
    """How many each tells of."""


class RowTable:
    """Reads lines as an engine writes rows of the metrics `keys`, each for itself or several together.

    Each number stands behind a comma. If a line has as many of these as it should, and between its numbers stands what
    should, the rest are the numbers: plain ones are worked out together, any others one by one.

    Raises:
        ValueError: there is a comma in a name.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._forms = forms_of(keys)
        self._knowing = dict[int, LineForm]()
        """Forms with what the lines before had in common: most lines have it, too, and there is less to read."""

    def columns(self, block: LogBlock) -> tuple[Columns, Ints] | None:
        """What lines of rows say, and the number of rows in each line of the block.

        None if there are none, and unless each line that begins as one is one that is read here.
        """
        reader, rows, parts = _Reader(block), np.zeros(len(block.starts), np.int64), []
        try:
            for number, form in self._forms.items():
                chosen = np.flatnonzero(block.forms == number)
                if len(chosen):
                    rows[chosen] = _rows_of(form, (block.last_marks - block.first_marks)[chosen])
                    parts.append(self._part(reader, number, chosen, rows[chosen]))
        except (_Unlike, msgspec.DecodeError):
            return None
        if not parts:
            return None
        facts, values = parts[0] if len(parts) == 1 else _merged(parts, block.forms.repeat(rows))
        rates = facts["lr"]
        columns = Columns(
            steps=facts["step"],
            at=facts["at"],
            elapsed_s=facts["elapsed_s"],
            values=values,
            lr=lambda row: float(block.text[slice(*rates[row])]),
        )
        return columns, rows

    def _part(self, reader: _Reader, form: int, lines: Ints, rows: Ints) -> _Part:
        if form in self._knowing:
            with suppress(_Unlike):
                return reader.part(self._knowing[form], lines, rows)
            del self._knowing[form]
        part = reader.part(self._forms[form], lines, rows)
        known = {name: reader.text_of_all(part.facts[name]) for name in ("steps", "lr")}
        if form != LISTED and all(known.values()):
            self._knowing[form] = self._forms[form].knowing(known)
        return part


class _Reader:
    def __init__(self, block: LogBlock) -> None:
        self._block, self._numerals = block, Numerals(block.text)

    def part(self, form: LineForm, lines: Ints, rows: Ints) -> _Part:
        """What lines of a form say.

        Args:
            form: Of all of them.
            lines: (lines,) which of the block.
            rows: (lines,) how many each tells of.

        Raises:
            _Unlike, msgspec.DecodeError: one is not as an engine writes it.
        """
        block, part = self._block, _Part({}, {})
        which = _Lines(block.starts[lines], block.ends[lines], block.first_marks[lines], rows)
        for field, starts, ends, texts in self._spans(form, which):
            column = self._column(field, starts, ends)
            if form.column_count and not field.is_column:
                column = column.repeat(rows, axis=0)
            (part.values if field.is_value else part.facts)[field.name] = column
            for name, begin, end in field.known:
                spans = np.stack([texts + begin, texts + end], axis=1)
                part.facts[name] = spans.repeat(rows, axis=0) if form.column_count else spans
        return part

    def text_of_all(self, spans: Ints) -> bytes:
        """What stands everywhere there: (places, 2); empty if that differs."""
        starts, ends = spans.T
        text = self._block.text[starts[0] : ends[0]]
        return text if text and (ends - starts == len(text)).all() and self._stands_at(text, starts) else b""

    def _spans(self, form: LineForm, lines: _Lines) -> Iterator[tuple[Field, Ints, Ints, Ints]]:
        """Where the numbers of each field begin and end: (rows,) of columns, else (lines,); and where its texts begin.

        Raises:
            _Unlike: something else stands between them.
        """
        self._expect(form.end, lines.ends - len(form.end))
        behind = [*(field.comma for field in form.fields[1:]), form.end.index(b"\n")]
        lasts = lines.rows.cumsum() - 1
        firsts = lasts - lines.rows + 1
        within = np.arange(lasts[-1] + 1) - firsts.repeat(lines.rows)
        marks, places = lines.first_marks, self._block.marks
        texts = lines.starts
        if (places.take(marks) - form.fields[0].comma != texts).any():
            raise _Unlike
        for field, rest in zip(form.fields, behind, strict=True):
            self._expect(field.text, texts)
            marks = marks + field.commas
            starts = texts + len(field.text)
            if field.is_column:
                each = marks.repeat(lines.rows) + within
                each_start, ends = places.take(each - 1) + 1, places.take(each)
                each_start[firsts] = starts
                starts = each_start
                ends[lasts] -= rest
                marks = marks + (lines.rows - 1)
                before, texts = texts, ends[lasts]
            else:
                ends = places.take(marks) - rest
                before, texts = texts, ends
            yield field, starts, ends, before

    def _expect(self, text: bytes, places: Ints) -> None:
        """Have it that this stands there everywhere.

        Raises:
            _Unlike: it does not.
        """
        if not self._stands_at(text, places):
            raise _Unlike

    def _stands_at(self, text: bytes, places: Ints) -> bool:
        """Whether this stands there everywhere."""
        whole = self._block.text
        last = len(whole) - len(text)
        if last < 0:
            return False
        texts = np.ndarray((last + 1,), f"V{len(text)}", whole, strides=(1,))
        return texts[np.clip(places, 0, last)].tobytes() == text * len(places)

    def _column(self, field: Field, starts: Ints, ends: Ints) -> NDArray[Any]:
        """Numbers; of what is looked up later, if at all, where they begin and end: (numbers, 2)."""
        if field.name in ("lr", "steps") and not field.is_value:
            self._check(field.name, starts, ends)
            return np.stack([starts, ends], axis=1)
        if field.name == "step" and not field.is_value:
            counts, are_read = self._numerals.counts(starts, ends)
            return self._mended(counts, are_read, starts, ends, _count_of)
        values, are_read = self._numerals.floats(starts, ends)
        if not field.is_value:
            are_read &= (values >= 0) & (values < MOST_SECONDS)
        return self._mended(values, are_read, starts, ends, _value_of if field.is_value else _seconds_of)

    def _check(self, name: str, starts: Ints, ends: Ints) -> None:
        """Have it that all are numbers.

        Raises:
            msgspec.DecodeError: one is none.
        """
        numbers, are_read = (self._numerals.floats if name == "lr" else self._numerals.counts)(starts, ends)
        self._mended(numbers, are_read, starts, ends, _rate_of if name == "lr" else _count_of)

    def _mended(
        self, numbers: NDArray[N], are_read: Bools, starts: Ints, ends: Ints, decode: Callable[[bytes], Any]
    ) -> NDArray[N]:
        """`numbers`, of which those that are not read are decoded one by one.

        Raises:
            msgspec.DecodeError: one is no number, or too large.
        """
        if not are_read.all():
            for place in np.flatnonzero(~are_read).tolist():
                number = decode(self._block.text[starts[place] : ends[place]])
                numbers[place] = math.nan if number is None else number
        return numbers


def _rows_of(form: LineForm, commas: Ints) -> Ints:
    """How many rows lines of so many commas tell of."""
    rows = (commas - form.single_count) // form.column_count if form.column_count else np.ones_like(commas)
    if (form.single_count + form.column_count * rows != commas).any() or rows.min() < 1 or rows.max() > MOST_NUMBERS:
        raise _Unlike
    return rows


def _merged(parts: Sequence[_Part], form_of_row: NDArray[np.int8]) -> _Part:
    """Rows of one form after another, put where they stand."""
    order = np.argsort(form_of_row, kind="stable")

    def merged(columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
        column = np.concatenate(columns)
        return column[np.argsort(order)]

    return _Part(
        *({name: merged([one[name] for one in each]) for name in each[0]} for each in zip(*parts, strict=True))
    )

"""Rows of a log that differ in nothing but their numbers, read as a table: no Python for each of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine import events as ev
from engine.columns import Columns, Floats, Ints
from engine.event_lines import MOST_NUMBERS
from engine.line_forms import Field, Kind, LineForm, forms_of
from engine.log_block import LogBlock
from engine.numerals import Bools, Numerals

FEW_ODD, MOST_ODD = 100, 1 / 8
"""Numbers of a field that are not plain, and their share of it, from which on lines are as quickly decoded whole."""
MOSTLY_ALIKE = {Kind.COVERED, Kind.RATE}
_DECODE: dict[Kind, Callable[[bytes], Any]] = {
    kind: msgspec.json.Decoder(numbers).decode
    for kind, numbers in (
        (Kind.COUNT, list[ev.Count]),
        (Kind.COVERED, list[ev.Count]),
        (Kind.SECONDS, list[ev.Duration]),
        (Kind.RATE, list[float]),
        (Kind.VALUE, list[float | None]),
    )
}
N = TypeVar("N", np.int64, np.float64)


class _Unlike(ValueError):
    """A line is not as an engine writes it, or has too many numbers that are not plain."""


class _Part(NamedTuple):
    """What lines say: (rows,) by the names of fields."""

    facts: dict[str, NDArray[Any]]
    values: dict[str, Floats]

    def add(self, field: Field, numbers: NDArray[Any]) -> None:
        """Take the numbers of a field."""
        (self.values if field.kind is Kind.VALUE else self.facts)[field.name] = numbers


class _Span(NamedTuple):
    """Where the numbers of a field begin and end: (rows,) of columns, else (lines,)."""

    field: Field
    starts: Ints
    ends: Ints


class RowTable:
    """Reads lines as an engine writes rows of the metrics `keys`, each for itself or several together.

    Each number stands behind a comma. If a line has as many of these as it should, and between its numbers stands what
    should, the rest are the numbers: plain ones are worked out together, others decoded together.

    Raises:
        ValueError: there is a comma in a name.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._forms = forms_of(keys)

    def columns(self, block: LogBlock, forms: NDArray[np.int8]) -> tuple[Columns, Ints] | None:
        """What lines of rows say, and the number of rows in each line of the block.

        None if there are none, and unless each line that begins as one is one that is read here.

        Args:
            block: The lines.
            forms: (lines,) from `forms_in`.
        """
        reader, rows, parts = _Reader(block), np.zeros(len(forms), np.int64), dict[int, _Part]()
        try:
            for number, form in self._forms.items():
                lines = np.flatnonzero(forms == number)
                if len(lines):
                    rows[lines] = _rows_of(form, (block.last_marks - block.first_marks)[lines])
                    parts[number] = reader.part(form, lines, rows[lines])
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None
        if not parts:
            return None
        facts, values = _merged(parts, forms.repeat(rows)) if len(parts) > 1 else parts.popitem()[1]
        return Columns(facts["step"], facts["at"], facts["elapsed_s"], values, facts["lr"]), rows


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
        part, together = _Part({}, {}), list[_Span]()
        for span in self._spans(form, lines, rows):
            text = self._text_of_all(span) if span.field.kind in MOSTLY_ALIKE else b""
            if text:
                part.add(span.field, np.full(len(span.starts), _decoded(span.field.kind, [text])[0]))
            elif span.field.kind in (Kind.COUNT, Kind.COVERED):
                part.add(span.field, self._mended(span, *self._numerals.counts(span.starts, span.ends)))
            else:
                together.append(span)
        for span, values, are_read in self._floats(together):
            part.add(span.field, self._mended(span, values, are_read))
        if form.column_count:
            for field in form.fields:
                if not field.is_column:
                    part.facts[field.name] = part.facts[field.name].repeat(rows)
        return part

    def _spans(self, form: LineForm, lines: Ints, rows: Ints) -> Iterator[_Span]:
        """Where the numbers of each field are.

        Raises:
            _Unlike: something else stands between them.
        """
        block = self._block
        self._expect(form.end, block.ends.take(lines) - len(form.end))
        behind = [*(field.comma_at for field in form.fields[1:]), form.end.index(b"\n")]
        lasts = rows.cumsum() - 1
        firsts = lasts - rows + 1
        within = np.arange(lasts[-1] + 1) - firsts.repeat(rows) if form.column_count else firsts
        marks = block.first_marks.take(lines)
        texts = block.marks.take(marks) - form.fields[0].comma_at
        if (texts != block.starts.take(lines)).any():
            raise _Unlike
        for field, comma_behind in zip(form.fields, behind, strict=True):
            self._expect(field.text, texts)
            starts = texts + len(field.text)
            if field.is_column:
                each = marks.repeat(rows) + within
                starts_in_lists, ends = block.marks.take(each) + 1, block.marks.take(each + 1)
                starts_in_lists[firsts] = starts
                ends[lasts] -= comma_behind
                starts, texts, marks = starts_in_lists, ends[lasts], marks + rows
            else:
                marks = marks + 1
                texts = ends = block.marks.take(marks) - comma_behind
            yield _Span(field, starts, ends)

    def _floats(self, spans: Sequence[_Span]) -> Iterator[tuple[_Span, Floats, Bools]]:
        """Numbers with a point, and which of them are read: of all fields at once, since each call takes its time."""
        values, are_read = self._numerals.floats(
            np.concatenate([span.starts for span in spans]), np.concatenate([span.ends for span in spans])
        )
        begin = 0
        for span in spans:
            here = slice(begin, begin + len(span.starts))
            if span.field.kind is Kind.SECONDS:
                are_read[here] &= (values[here] >= 0) & (values[here] <= ev.MOST_SECONDS)
            yield span, values[here], are_read[here]
            begin = here.stop

    def _mended(self, span: _Span, numbers: NDArray[N], are_read: Bools) -> NDArray[N]:
        """`numbers`, of which those that are not read are decoded.

        Raises:
            _Unlike: these are many.
            msgspec.DecodeError: one is no number, or too large.
        """
        if are_read.all():
            return numbers
        odd = np.flatnonzero(~are_read)
        if len(odd) > max(FEW_ODD, MOST_ODD * len(numbers)):
            raise _Unlike
        places = zip(span.starts[odd].tolist(), span.ends[odd].tolist(), strict=True)
        numbers[odd] = _decoded(span.field.kind, [self._block.text[start:end] for start, end in places])
        return numbers

    def _text_of_all(self, span: _Span) -> bytes:
        """What stands everywhere there; empty if that differs."""
        text = self._block.text[span.starts[0] : span.ends[0]]
        is_one = bool(text) and bool((span.ends - span.starts == len(text)).all())
        return text if is_one and self._stands_at(text, span.starts) else b""

    def _expect(self, text: bytes, places: Ints) -> None:
        """Have it that this stands there everywhere.

        Raises:
            _Unlike: it does not.
        """
        if not self._stands_at(text, places):
            raise _Unlike

    def _stands_at(self, text: bytes, places: Ints) -> bool:
        """Whether this stands there everywhere; places are apart."""
        whole = self._block.text
        if len(text) * len(places) > len(whole):  # else what is compared may be far longer than the log
            return False
        last = len(whole) - len(text)
        texts = np.ndarray((last + 1,), f"V{len(text)}", whole, strides=(1,))
        return texts[np.clip(places, 0, last)].tobytes() == text * len(places)


def _decoded(kind: Kind, texts: Sequence[bytes]) -> list[Any]:
    """Numbers of this kind, NaN for null. There is no comma in the texts, so that each is one number, or none.

    Raises:
        msgspec.DecodeError: one is none.
    """
    numbers: list[Any] = _DECODE[kind](b"[" + b",".join(texts) + b"]")
    if len(numbers) != len(texts):
        raise _Unlike
    return [math.nan if number is None else number for number in numbers]


def _rows_of(form: LineForm, commas: Ints) -> Ints:
    """How many rows lines of so many commas tell of.

    Raises:
        _Unlike: one has too many or too few.
    """
    rows = (commas - form.single_count) // form.column_count if form.column_count else np.ones_like(commas)
    if (form.single_count + form.column_count * rows != commas).any() or rows.min() < 1 or rows.max() > MOST_NUMBERS:
        raise _Unlike
    return rows


def _merged(parts: Mapping[int, _Part], form_of_row: NDArray[np.int8]) -> _Part:
    """Rows of each form put where they stand."""
    where = {form: np.flatnonzero(form_of_row == form) for form in parts}

    def merged(columns: Mapping[int, NDArray[Any]]) -> NDArray[Any]:
        whole = np.empty(len(form_of_row), next(iter(columns.values())).dtype)
        for form, column in columns.items():
            whole[where[form]] = column
        return whole

    one = next(iter(parts.values()))
    return _Part(
        {name: merged({form: part.facts[name] for form, part in parts.items()}) for name in one.facts},
        {key: merged({form: part.values[key] for form, part in parts.items()}) for key in one.values},
    )

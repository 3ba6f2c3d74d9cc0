"""What is read as a table is what each line says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine import events as ev
from engine.event_lines import events_of, lines_of
from engine.line_forms import NO_ROWS, forms_in
from engine.log_block import LogBlock
from engine.row_table import RowTable

KEYS = st.lists(
    st.sampled_from(["train/loss", "layers.10.weight/2", "0", "top-5", "-1", 'a"b\n', "§", "step", "lr"]),
    min_size=1,
    max_size=3,
    unique=True,
)
DECIMAL = st.builds(
    lambda digits, decimals: digits / 10**decimals, st.integers(0, 9_999_999), st.sampled_from([1, 2, 4, 7, 10])
)
"""As an engine rounds its numbers."""


def row(keys: list[str], step: int, seconds: float, value: float, lr: float = 0.1) -> ev.MetricsLogged:
    return ev.MetricsLogged(
        step=step, at=seconds, steps=1 + step, elapsed_s=seconds, lr=lr, values=dict.fromkeys(keys, value)
    )


def read(keys: list[str], block: bytes) -> list[Any] | None:
    """All that a table says, row by row."""
    lines = LogBlock(block)
    forms = forms_in(lines)
    read = None if (forms == NO_ROWS).any() or not lines.is_framed else RowTable(keys).columns(lines, forms)
    if read is None:
        return None
    table, counts = read
    assert len(counts) == block.count(b"\n")
    assert sum(counts) == len(table.steps)
    cells = zip(*(table.values[key].tolist() for key in keys), strict=True)
    facts = zip(table.steps.tolist(), table.at.tolist(), table.elapsed_s.tolist(), cells, strict=True)
    return [repr((*known, lr)) for known, lr in zip(facts, table.lr.tolist(), strict=True)]


def said(keys: list[str], lines: Sequence[bytes]) -> list[Any]:
    """The same, line by line.

    Raises:
        msgspec.DecodeError, KeyError, AssertionError: a line is no such row.
    """
    facts = []
    for line in lines:
        for one in events_of(line):
            assert isinstance(one, ev.MetricsLogged)
            assert set(one.values) == set(keys)
            cells = tuple(math.nan if one.values[key] is None else one.values[key] for key in keys)
            facts.append(repr((one.step, one.at, one.elapsed_s, cells, one.lr)))
    return facts


def lines_together(rows: Sequence[ev.MetricsLogged], shares: Sequence[int]) -> list[bytes]:
    """Some rows in a line each, by how many are to share one."""
    lines, rest = list[bytes](), list(rows)
    for share in [*shares, len(rows)]:
        lines += lines_of([msgspec.structs.replace(one, at=rest[0].at) for one in rest[:share]])
        del rest[:share]
    return lines


SHARES = st.lists(st.integers(1, 5), max_size=4)


@given(
    KEYS,
    st.lists(st.tuples(st.integers(0, 10**9), DECIMAL, DECIMAL, st.just(0.1) | DECIMAL), min_size=1, max_size=9),
    st.booleans(),
    SHARES,
)
@example(["x"], [(step, 1.5, 2.5, 0.1) for step in range(300)], True, [100, 1])
@example(["x", "top5"], [(step, 1.5, -2.5, 0.1 * step) for step in range(9)], False, [3, 1, 1])
def test_it_reads_what_an_engine_writes(
    keys: list[str], rows: list[tuple[int, float, float, float]], is_steady: bool, shares: list[int]
) -> None:
    events = [row(keys, *numbers) for numbers in rows]
    if is_steady:
        events = [msgspec.structs.replace(event, steps=1, lr=0.1) for event in events]
    lines = lines_together(events, shares)
    block = b"".join(line + b"\n" for line in lines)
    assert read(keys, block) == said(keys, lines)


@pytest.mark.parametrize(
    "value", [-0.5, -0.0, 0.0, 123456.7, 0.00001234567, 9007199254740992.0, 0.1 + 0.2, 1e-7, math.nan]
)
def test_numbers_are_exact(value: float) -> None:
    lines = [ev.encode(row(["x"], 7, 1760011157.963, one)) for one in (1.0, value, -12.25)]
    assert read(["x"], b"".join(line + b"\n" for line in lines)) == said(["x"], lines)


def test_learning_rates_may_be_as_long_as_floats() -> None:
    lines = [ev.encode(row(["x"], 7, 1.5, 0.5, lr=lr)) for lr in (0.0009999901304280685, 0.1, 1e-3 / 7)]
    assert max(map(len, lines)) > min(map(len, lines)) + 18
    assert read(["x"], b"".join(line + b"\n" for line in lines)) == said(["x"], lines)


@settings(max_examples=600)
@given(
    KEYS,
    st.lists(st.tuples(st.integers(0, 10**6), DECIMAL, DECIMAL), min_size=1, max_size=5),
    SHARES,
    st.lists(
        st.tuples(st.integers(0, 600), st.sampled_from([0, 1]), st.sampled_from(["", *'0019-..e,:{}"x \n'])), max_size=3
    ),
)
@example(["x"], [(1, 2.5, 3.5)], [], [(33, 0, "0")])
@example(["x"], [(1, 2.5, 3.5), (2, 2.5, 3.5)], [1], [(130, 1, ""), (33, 0, "1")])
@example(["x"], [(1, 2.5, 3.5), (2, 2.5, 3.5)], [], [(30, 0, ",")])
def test_a_byte_that_is_changed_is_no_surprise(
    keys: list[str], rows: list[tuple[int, float, float]], shares: list[int], changes: list[tuple[int, int, str]]
) -> None:
    """A block is read as msgspec reads its lines, or not at all."""
    block = b"".join(line + b"\n" for line in lines_together([row(keys, *numbers) for numbers in rows], shares))
    for place, taken, put in changes:
        place %= len(block) - 1
        block = block[:place] + put.encode() + block[place + taken :]
    table = read(keys, block)
    if table is not None:
        assert table == said(keys, block.removesuffix(b"\n").split(b"\n"))


def test_names_with_digits_are_read_as_they_are() -> None:
    long, short = (ev.encode(row([name], 7, 1.5, 0.5)) + b"\n" for name in ("a" + "1" * 60, "a1"))
    assert read(["a" + "1" * 60], 3 * long) is not None
    assert read(["a" + "1" * 60], 3 * long + short) is None


def test_names_with_commas_are_for_others() -> None:
    with pytest.raises(ValueError, match="a comma in a name"):
        RowTable(["top-1,5"])


def test_a_name_may_be_longer_than_all_that_is_read() -> None:
    assert read(["a" + "1" * 900], ev.encode(row(["a1"], 7, 1.0, 0.5)) + b"\n") is None


def test_moved_signs_zeros_and_digits_of_names_are_seen() -> None:
    keys = ["a1b"]
    line = ev.encode(row(keys, 7, 1.5, 0.5)) + b"\n"
    assert read(keys, 3 * line) is not None
    assert read(keys, 2 * line + line.replace(b":0.5", b":-0.5")) is not None
    for was, becomes in (
        (b"a1b", b"a2b"),
        (b"a1b", b"ab1"),
        (b"a1b", b"a11b"),
        (b"a1b", b"a-1b"),
        (b":0.5", b":00.5"),
        (b":0.5", b":.55"),
        (b":0.5", b":0.-5"),
        (b":0.5", b":--0.5"),
        (b'"at":1.5', b'"at":-1.5'),
        (b'"at":1.5', b'"at":111111111111.5'),
        (b'"step":7', b'"step":-7'),
        (b'"step":7', b'"step":07'),
        (b'"steps":8', b'"steps":8888888888888888888'),
        (b"}\n", b"}-\n"),
        (b"{", b"-{"),
    ):
        assert was in line
        for lines in ([line, line.replace(was, becomes, 1)], [line.replace(was, becomes, 1), line]):
            assert read(keys, b"".join(lines)) is None, becomes

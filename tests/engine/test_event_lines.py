"""Rows that were handed on together share a line of the log; what a line tells is what was told."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import events as ev
from engine.event_lines import LONG_BYTES, MOST_NUMBERS, decode_line, events_of, lines_of
from tests.engine.test_run_state import evaluated, logged


def told_by(lines: list[bytes]) -> list[ev.AnyEvent]:
    return [event for line in lines for event in events_of(line)]


def test_neighbours_share_a_line() -> None:
    events = [logged(1), logged(2, None), evaluated(2, 0.5), logged(3), *map(logged, range(4, 9))]
    lines = lines_of(events)
    assert [type(decode_line(line)).__name__ for line in lines] == ["RowsLogged", "Evaluated", "RowsLogged"]
    assert told_by(lines) == events


def test_what_is_the_same_for_all_is_said_once() -> None:
    (steady,), (other,) = (
        lines_of([logged(1), logged(2)]),
        lines_of([logged(1), msgspec.structs.replace(logged(2), lr=0.5)]),
    )
    assert b'"steps":1,"lr":0.1,' in steady
    assert b'"steps":[1,1],"lr":[0.1,0.5],' in other


def test_one_row_is_an_event() -> None:
    assert lines_of([logged(1)]) == [ev.encode(logged(1))]


def test_rows_of_other_metrics_do_not() -> None:
    other = ev.MetricsLogged(step=2, at=0.0, steps=1, elapsed_s=1.0, lr=0.1, values={"train/other": 1.0})
    events = [logged(1), other, logged(3)]
    assert lines_of(events) == list(map(ev.encode, events))


@pytest.mark.parametrize("metrics", [1, 60, 2000])
def test_lines_stay_short(metrics: int) -> None:
    """Lists of runs read no more than the last 32 KiB of a log."""
    values: dict[str, float | None] = {f"m{number}": 0.1 for number in range(metrics)}
    rows = [ev.MetricsLogged(step=step, at=0.0, steps=1, elapsed_s=1.0, lr=0.1, values=values) for step in range(600)]
    lines = lines_of(rows)
    assert told_by(lines) == rows
    assert max(map(len, lines)) < max(10 * MOST_NUMBERS, 1 + len(ev.encode(rows[-1])))


@pytest.mark.parametrize("text", ["x", "\N{MATHEMATICAL BOLD SMALL X}", '"', "\n"])
def test_an_event_that_is_too_long_keeps_both_ends_of_its_texts(text: str) -> None:
    failed = ev.RunFailed(step=7, error=f"it {500_000 * text} failed", traceback=f"begin{3_000_000 * text}end")
    (line,) = lines_of([failed])
    (told,) = told_by([line])
    assert len(line) < LONG_BYTES
    assert isinstance(told, ev.RunFailed)
    assert (told.step, told.at, told.error[:3], told.traceback[-3:]) == (7, failed.at, "it ", "end")


def test_an_event_that_no_cut_makes_short_enough_leaves_a_word() -> None:
    answered = ev.Answered(step=7, id="", values={f"{number:0100}": 0.1 for number in range(20_000)})
    assert ["Answered" in getattr(event, "text", "") for event in told_by(lines_of([answered]))] == [True]


VALUES = st.dictionaries(
    st.sampled_from(["train/loss", "train/accuracy", ""]), st.none() | st.floats(-9, 9), max_size=3
)
ROW = st.builds(
    ev.MetricsLogged,
    step=st.integers(0, 99),
    at=st.sampled_from([7.5, 7.5, 8.0]),
    steps=st.integers(0, 9),
    elapsed_s=st.floats(0, 9),
    lr=st.floats(0, 9),
    values=VALUES,
)
OTHER = st.builds(ev.Heartbeat, step=st.integers(0, 99), memory_bytes=st.just(1), cpu_percent=st.just(1.0))


@given(st.lists(ROW | OTHER))
def test_what_was_told_is_read(events: list[ev.AnyEvent]) -> None:
    assert told_by(lines_of(events)) == events


def test_rows_that_were_not_logged_at_once_do_not() -> None:
    events = [logged(1), msgspec.structs.replace(logged(2), at=0.5)]
    assert lines_of(events) == list(map(ev.encode, events))


def test_a_line_has_no_more_rows_than_an_engine_writes() -> None:
    zeros = b"0," * MOST_NUMBERS + b"0"
    line = b'{"event":"RowsLogged","steps":1,"lr":0.1,"step":[%s],"at":0.0,"elapsed_s":[%s],"values":{}}' % (
        zeros,
        zeros,
    )
    with pytest.raises(msgspec.ValidationError, match=f"length <= {MOST_NUMBERS}"):
        events_of(line)


@pytest.mark.parametrize("column", ["step", "steps", "elapsed_s", "lr", "values"])
def test_columns_are_of_one_length(column: str) -> None:
    (line,) = lines_of([logged(1), msgspec.structs.replace(logged(2), lr=0.5)])
    tree = msgspec.json.decode(line)
    cells = tree[column]["train/loss"] if column == "values" else tree[column]
    cells.pop()
    with pytest.raises(msgspec.ValidationError, match="columns of equal length"):
        events_of(msgspec.json.encode(tree))

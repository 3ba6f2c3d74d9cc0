"""A log that is read in columns and folded is the same as one that is read event by event and folded."""

from __future__ import annotations

import math
import tempfile
import tracemalloc
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine import events as ev
from engine import history, row_blocks
from engine.event_lines import RowsLogged, events_of, lines_of
from engine.history import HistoryReader
from engine.row_table import RowTable
from engine.rows import HistoryItem, Rows
from engine.run_log import Damage, LogReader
from engine.run_state import RunState
from tests.engine.test_run_state import evaluated, logged, started


def facts(state: RunState) -> dict[str, Any]:
    """All that a state knows, in a form in which NaN equals NaN."""
    known = {field.name: repr(getattr(state, field.name)) for field in fields(state) if field.name != "series"}
    series = [(key, one.steps, one.elapsed_s, repr(one.values.tolist())) for key, one in state.series.items()]
    # a row may name its metrics in another order than the rows around it
    worked_out = {"steps_per_s": state.steps_per_s, "eta_s": state.eta_s, "epoch": state.epoch}
    return {**known, **worked_out, "series": series, "latest": sorted(state.latest.items(), key=repr)}


def folded(reader: LogReader[HistoryItem] | LogReader[ev.AnyEvent]) -> tuple[dict[str, Any], list[Damage], int]:
    state = RunState()
    state.apply_all(reader.read_all())
    return facts(state), reader.damages, reader.offset


def items_of(lines: list[bytes], block_bytes: int = 1 << 18, table_bytes: int = 0) -> list[HistoryItem]:
    """What is read in columns, after checking that it folds to the same as event by event."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(history, "SMALL_BYTES", 0)
        patch.setattr(row_blocks, "TABLE_BYTES", table_bytes)
        patch.setattr(history, "BLOCK_BYTES", block_bytes)
        patch.setattr(history, "FIRST_BYTES", block_bytes)
        patch.setattr(row_blocks, "PIECE_BYTES", block_bytes // 3)
        patch.setattr(row_blocks, "RETRY_AFTER", 1)
        path = Path(folder) / "events.jsonl"
        path.write_bytes(b"".join(lines))
        assert folded(HistoryReader(path)) == folded(LogReader(path, events_of))
        return list(HistoryReader(path).read_all())


def written(*events: ev.AnyEvent) -> list[bytes]:
    return [ev.encode(event) + b"\n" for event in events]


def together(*events: ev.AnyEvent) -> list[bytes]:
    return [line + b"\n" for line in lines_of(events)]


def beat(step: int, at: float = 0.0) -> ev.Heartbeat:
    return ev.Heartbeat(step=step, at=at, memory_bytes=step, cpu_percent=2.0)


def shape(items: list[HistoryItem]) -> list[str | int]:
    return [item.events if isinstance(item, Rows) else type(item).__name__ for item in items]


ROWS = written(*(logged(step) for step in range(1, 31)))
SHARED = [line for first in range(31, 61, 6) for line in together(*(logged(step) for step in range(first, first + 6)))]
"""Five lines of six rows each."""
FIRST = 1000
"""Bytes of a first block, which shows what rows there are, and of others."""


def block_of(*lines: bytes) -> list[HistoryItem]:
    """What is made of `lines` as one block, by a reader that has seen such rows."""
    items_of([*ROWS, *lines], FIRST)
    with pytest.MonkeyPatch.context() as patch:
        reader = HistoryReader(Path("events.jsonl"))
        assert {type(item) for item in reader._take(b"".join(ROWS))} == {ev.MetricsLogged}
        patch.setattr(history, "SMALL_BYTES", 0)
        patch.setattr(row_blocks, "TABLE_BYTES", 0)
        return reader._take(b"".join(lines))


def test_rows_and_the_heartbeats_among_them_are_one_item() -> None:
    (item,) = block_of(*ROWS, *written(beat(37, at=7.0), logged(36, None), beat(36)))
    assert isinstance(item, Rows)
    assert (item.events, len(item), item.step, item.at, item.heartbeat) == (33, 31, 37, 7.0, beat(36))
    assert (list(item.steps), item.lr) == ([*range(1, 31), 36], 0.1)
    assert repr(item.values["train/loss"].tolist()[-2:]) == "[1.0, nan]"


def test_everything_else_keeps_its_place() -> None:
    back = ev.RolledBack(step=12, at=1.0, from_step=30, reason="NaN")
    lines = written(evaluated(30, 0.5), back, beat(12), logged(13), beat(13), ev.RunPaused(step=13, at=2.0), beat(13))
    assert shape(block_of(*ROWS, *lines)) == [30, "Evaluated", "RolledBack", 3, "RunPaused", "Heartbeat"]


def test_rows_as_an_engine_writes_them_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [*written(beat(30)), *ROWS, *written(evaluated(30, 0.5), logged(31, -0.25))]
    decode = row_blocks.BlockDecoder._events
    decoded = []
    monkeypatch.setattr(
        row_blocks.BlockDecoder, "_events", lambda self, some: decoded.append(some) or decode(self, some)
    )
    reader = HistoryReader(Path("events.jsonl"))
    reader._take(b"".join(ROWS))
    monkeypatch.setattr(history, "SMALL_BYTES", 0)
    monkeypatch.setattr(row_blocks, "TABLE_BYTES", 0)
    assert shape(reader._take(b"".join(lines))) == [31, "Evaluated", 1]
    assert decoded == [lines[0] + lines[31]]
    reader._take(b"".join(lines) + ROWS[0].replace(b',"lr"', b', "lr"'))
    assert len(b"".join(decoded[1:])) > len(b"".join(lines))  # one is written otherwise, and all are decoded
    for _ in range(row_blocks.RETRY_AFTER):
        reader._take(b"".join(ROWS))
    decoded.clear()
    reader._take(b"".join(ROWS))
    assert decoded == [b""]


def test_rows_that_share_a_line_are_one_item_with_those_around_them() -> None:
    last = written(logged(62, None), beat(63))
    (item,) = block_of(*ROWS, *SHARED[:2], *written(beat(60)), *SHARED[2:], *written(logged(61, -0.25)), *last)
    assert isinstance(item, Rows)
    assert (item.events, len(item), item.step, item.heartbeat) == (64, 62, 63, beat(63))
    assert list(item.steps) == list(range(1, 63))
    mixed = block_of(*SHARED[:1], *written(ev.RunPaused(step=36, at=2.0)), *ROWS[:3], *SHARED[1:])
    assert shape(mixed) == [6, "RunPaused", 27]


def test_few_rows_are_events() -> None:
    reader = HistoryReader(Path("events.jsonl"))
    assert [type(item) for line in ROWS for item in reader._take(line)] == [ev.MetricsLogged] * 30
    assert [shape(list(reader._take(line))) for line in SHARED] == [[6]] * 5


def test_rows_of_other_metrics_are_learned_anew() -> None:
    others = [line.replace(b"train/loss", b"train/other") for line in ROWS]
    items = items_of([*ROWS, *others], FIRST)
    assert {type(item) for item in items[-10:]} == {Rows, ev.MetricsLogged}
    assert isinstance(items[-1], Rows)
    assert list(items[-1].values) == ["train/other"]


@pytest.mark.parametrize(
    "damage",
    [
        b"\n",
        b"  \n",
        b"nonsense\n",
        b"\xff\x00\n",
        ROWS[3][:-1] + ROWS[4],
        ROWS[3][:-1] + b" " + ROWS[4] + b" \n",
        ROWS[3][:-1] + b"\r\n",
        b" " + ROWS[3],
        ROWS[3].replace(b"{", b"{\n", 1),
        ROWS[3].replace(b'"values":', b'"values":\n') + b" \n" + ROWS[3][:-1] + ROWS[3],
        ROWS[3].replace(b'"values":', b'"values":\n')[:-1] + ROWS[3],
        ROWS[3].replace(b'"steps":1', b'"steps":-1'),
        ROWS[3].replace(b'"step":4', b'"step":9999999999999999999'),
        ROWS[3].replace(b'"step":4', b'"step":4.5'),
        ROWS[3].replace(b'"step":4', b'"step":4.0'),
        ROWS[3].replace(b',"at":0.0', b""),
        ROWS[3].replace(b"1.0", b"1e999"),
        ROWS[3].replace(b"1.0", b"true"),
        ROWS[3].replace(b"1.0", b"1"),
        ROWS[3].replace(b"1.0", b"null"),
        ROWS[3].replace(b"1.0}", b'1.0,"train/loss":2}'),
        ROWS[3].replace(b"train/loss", b"val/loss"),
        ROWS[3].replace(b"train/loss", b"\\u0000\\n\\\\"),
        ROWS[3].replace(b"train/loss", b"train\\/loss"),
        ROWS[3].replace(b"train/loss", b"tr\\u0061in/loss"),
        ROWS[3].replace(b"{", b'{"unknown":[{}],', 1),
        ROWS[3].replace(b'"values":{"train/loss":1.0}', b'"values":{}'),
        ROWS[3].replace(b'"MetricsLogged"', b'"Row"'),
        SHARED[0],
        SHARED[0].replace(b'"steps":[1,', b'"steps":['),
        SHARED[0].replace(b'"values":{"train/loss":[1.0,', b'"values":{"train/loss":['),
        SHARED[0].replace(b"1.0,", b"null,", 3),
        SHARED[0].replace(b"1.0", b"1"),
        SHARED[0].replace(b"train/loss", b"train/other"),
        SHARED[0].replace(b',"at":0.0', b""),
        SHARED[0].replace(b"[31", b"[-31"),
        SHARED[0].replace(b"[31,32,33,34,35,36]", b"[]"),
        SHARED[0].replace(b"[31,32,33,34,35,36]", b"7"),
        b'{"event":"RowsLogged","step":[],"at":0.0,"steps":[],"elapsed_s":[],"lr":[],"values":{"train/loss":[]}}\n',
        b'{"event":"RowsLogged","step":[7],"at":0.0,"steps":[1],"elapsed_s":[1.0],"lr":[0.1],"values":{}}\n',
        b"[" * 5000 + b"\n",
        b"[" + ROWS[3][:-1] + b"]\n",
        b'{"event":"LineLogged","level":"info","text":"}{","step":1,"at":1}\n',
        b'{"event":"LineLogged","level":"info","text":"}\\n{","step":1,"at":1}\n',
        b'{"event":"LineLogged","level":"info","text":"}\n{","step":1,"at":1}\n',
    ],
)
@pytest.mark.parametrize("size", [300, 2000, 1 << 18])
@pytest.mark.parametrize("table_bytes", [0, 1 << 20], ids=["tables", "no tables"])
def test_damage_and_strange_writing_are_seen_as_line_by_line(
    damage: bytes, size: int, table_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 5.0)  # of rows that don't tell when they were logged
    lines = [*ROWS[:20], damage, *ROWS[20:], damage, damage, b"x\n"]  # the last one's number shows that all are counted
    items_of(lines, size, table_bytes)


VALUES = st.dictionaries(
    st.sampled_from(["train/loss", "train/accuracy", "param/w"]), st.none() | st.floats(-9, 9) | st.just(0), max_size=3
)
STEP, TIME = st.integers(0, 40), st.sampled_from([0.0, 1.0, 1.5, 2.0, 3.0, 9.0])
EVENT = st.one_of(
    *[st.builds(ev.MetricsLogged, step=STEP, at=TIME, steps=STEP, elapsed_s=TIME, lr=TIME, values=VALUES)] * 2,
    st.builds(ev.Heartbeat, step=STEP, at=TIME, memory_bytes=STEP, cpu_percent=TIME),
    st.builds(ev.Evaluated, step=STEP, at=TIME, epoch=STEP, elapsed_s=TIME, values=VALUES),
    st.builds(ev.EpochEnded, step=STEP, at=TIME, epoch=STEP, elapsed_s=TIME),
    st.builds(ev.RolledBack, step=STEP, at=TIME, from_step=STEP, reason=st.just("NaN"), lr=st.none() | TIME),
    st.builds(ev.LearningRateChanged, step=STEP, at=TIME, old=TIME, new=TIME),
    st.builds(started, step=STEP),
    st.builds(ev.RunPaused, step=STEP, at=TIME),
    st.builds(ev.LineLogged, step=STEP, at=TIME, level=st.just("info"), text=st.text(max_size=3)),
    st.builds(ev.RunStopped, step=STEP, at=TIME, elapsed_s=TIME, reason=st.just("asked")),
)
STEADY = st.builds(
    lambda keys, steps, values: [
        ev.MetricsLogged(
            step=step, at=0.0, steps=1, elapsed_s=step / 10, lr=step / 8, values=dict.fromkeys(keys, value)
        )
        for step, value in zip(steps, values, strict=True)
    ],
    st.lists(st.sampled_from(["train/loss", "train/accuracy", "step", '"\n']), min_size=1, unique=True),
    st.lists(st.integers(0, 10**6), min_size=12, max_size=12).map(sorted),
    st.lists(st.floats(-9, 9).map(lambda value: round(value, 5)), min_size=12, max_size=12)
    | st.lists(st.none() | st.floats(-1e300, 1e300), min_size=12, max_size=12),
)
"""Rows as a run writes them: the same metrics again and again."""
BUSY = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 7]), st.sampled_from([0.0, 0.0, 0.5, 6.0]), st.sampled_from([None, 0, 3, 1000])
    ),
    min_size=8,
    max_size=60,
).map(lambda moves: list(_busy(moves)))
"""Rows of which many stand at one instant, and heartbeats ahead of them."""


def _busy(moves: list[tuple[int, float, int | None]]) -> Iterator[ev.AnyEvent]:
    step, elapsed_s = 0, 0.0
    for steps, seconds, ahead in moves:
        step, elapsed_s = step + steps, elapsed_s + seconds
        if ahead is not None:
            yield beat(step + ahead)
        yield logged(step, elapsed_s=elapsed_s)


DAMAGE = st.sampled_from([b"\n", b"x\n", ROWS[0][:40] + b"\n", ROWS[0][:-1] + ROWS[1], b"{}\n"])
WRITTEN = st.sampled_from([written, together])
LINES = st.lists(st.builds(lambda write, some: write(*some), WRITTEN, STEADY | BUSY | st.lists(EVENT)))


@settings(max_examples=150)
@given(
    LINES.map(lambda parts: [line for part in parts for line in part]),
    st.lists(st.tuples(st.integers(0, 200), DAMAGE), max_size=2),
    st.integers(100, 4000),
    st.sampled_from([0, 1 << 20]),
    st.integers(0, 60),
)
@example(ROWS + written(started(step=10)) + ROWS[10:], [], 1000, 0, 0)
@example(written(started(), *[logged(step, elapsed_s=9.0) for step in range(1, 80)], beat(100_000)), [], 4000, 0, 0)
def test_any_log_folds_to_the_same(
    lines: list[bytes], damages: list[tuple[int, bytes]], block_bytes: int, table_bytes: int, cut_off: int
) -> None:
    for place, damage in damages:
        lines.insert(place, damage)
    if lines and cut_off:
        lines = [*lines[:-1], lines[-1][:-cut_off]]
    items_of(lines, block_bytes, table_bytes)


def test_small_blocks_are_decoded_and_large_ones_read_as_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = []
    columns = RowTable.columns
    monkeypatch.setattr(RowTable, "columns", lambda *of: tables.append(of) or columns(*of))
    decoder, line = row_blocks.BlockDecoder(("train/loss",)), ROWS[0]
    assert decoder.decode(line * (row_blocks.TABLE_BYTES // len(line))) is not None
    assert not tables
    assert decoder.decode(line * (row_blocks.TABLE_BYTES // len(line) + 1)) is not None
    assert tables


@pytest.mark.parametrize(
    "lr",
    [
        pytest.param("0.1" + "0" * 300_000, id="noughts"),
        pytest.param("0.1" + " " * 300_000, id="blanks"),
        "-0",
        "1e-5",
        "0.0009999901304280685",
    ],
)
def test_learning_rates_of_a_strangers_log_are_what_they_are(lr: str) -> None:
    """However long they are written: what is compared with all lines is never longer than these."""
    odd = [line.replace(b'"lr":0.1', b'"lr":' + lr.encode()) for line in [*ROWS[:2], SHARED[0]]]
    lines = [*ROWS[:9], odd[0], *ROWS * 9, *SHARED[:1], odd[2], *SHARED, odd[1]]
    tracemalloc.start()
    try:
        items = [item for item in block_of(*lines) if not isinstance(item, ev.Heartbeat)]
        most_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert math.copysign(1, items[-1].lr) == 1.0
    assert items[-1].lr == float(lr)
    assert most_bytes < history.KEPT_BYTES + 60 * sum(map(len, lines)) + (4 << 20)


@pytest.mark.parametrize("count", [999, 1000, 1001])
def test_a_line_has_so_many_rows_at_most(count: int) -> None:
    half = [0.5] * count
    rows = RowsLogged(steps=1, lr=0.1, step=[7] * count, at=1.0, elapsed_s=half, values={"train/loss": half})
    assert shape(block_of(msgspec.json.encode(rows) + b"\n")) == ([count] if count <= 1000 else [])

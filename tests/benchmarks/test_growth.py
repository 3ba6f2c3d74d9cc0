"""What is measured of long runs is what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import growth
from engine import meters, session
from engine.run_state import RunState


def test_times_are_those_of_the_engine() -> None:
    there = (meters.FLUSH_WHEN_OLD_S, meters.ROWS_WHEN_OLD, session.HEARTBEAT_EVERY_S)
    assert there == (growth.FLUSH_S, growth.ROWS_WHEN_OLD, growth.HEARTBEAT_EVERY_S)


@pytest.mark.parametrize("sort", growth.Sort)
def test_a_log_is_written_as_an_engine_would(sort: growth.Sort, tmp_path: Path) -> None:
    folder = growth.write_run(tmp_path, 2000, sort)
    reader, state = folder.read_history(), RunState()
    state.apply_all(reader.read_all())
    assert reader.damages == []
    assert {key: len(series) for key, series in state.series.items()} == {
        "train/loss": 2000,
        "train/accuracy": 2000,
        "val/loss": 2,
        "val/accuracy": 2,
    }
    assert (state.step, state.total_steps) == (2000, 2000)
    assert state.heartbeat is not None


@pytest.mark.parametrize(("what", "facts"), [("open", 1), ("wait", 1), ("show", 2), ("redraw", len(growth._WAYS))])
def test_every_measurement_gives_figures(what: str, facts: int, tmp_path: Path) -> None:
    folder = growth.write_run(tmp_path, 1000)
    measured = growth._in_process(what, folder, 1000)
    assert len(measured) == facts
    assert all(value > 0 for value in measured.values())

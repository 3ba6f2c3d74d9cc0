"""Lists of runs read the two ends of each log only."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine import events as ev
from engine.run_folder import RunFolder, create_run
from engine.run_state import RunState
from engine.run_summary import HEAD_BYTES, STARTING_S, TAIL_BYTES, status_of, summarize
from engine.schema import validate
from tests.engine.test_run_state import evaluated, logged, started


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    config = validate({"preset": "tiny", "data": {"kind": "spiral"}, "model": {"kind": "linear"}})
    return create_run(tmp_path, config, tmp_path)


def record(folder: RunFolder, *events: ev.AnyEvent) -> None:
    with (folder.path / "events.jsonl").open("ab") as file:
        file.writelines(ev.encode(event) + b"\n" for event in events)


def test_a_short_run(folder: RunFolder) -> None:
    record(folder, started(), logged(10), evaluated(10, 0.5), ev.RunFinished(step=40, elapsed_s=4.0))
    summary = summarize(folder)
    assert (summary.name, summary.status) == ("tiny-1", "finished")
    assert summary.state.step == 40
    assert summary.state.best is not None
    assert summary.changed_at == pytest.approx(time.time(), abs=60)


def test_a_long_run_keeps_its_start_and_its_end(folder: RunFolder) -> None:
    rows = [logged(step) for step in range(1, 5000)]
    record(folder, started(), *rows, evaluated(5000, 0.5), ev.RunStopped(step=5000, elapsed_s=9.0, reason="asked"))
    assert (folder.path / "events.jsonl").stat().st_size > HEAD_BYTES + TAIL_BYTES
    summary = summarize(folder)
    assert summary.status == "stopped"
    assert summary.state.started is not None
    assert (summary.state.step, summary.state.latest["val/accuracy"]) == (5000, 0.5)


def test_a_summary_says_what_the_whole_log_says(folder: RunFolder) -> None:
    """Most rows are passed over; a list shows the same."""
    events: list[ev.AnyEvent] = [started()]
    for step in range(1, 400):
        values: dict[str, float | None] = {"train/loss": 1 / step}
        events.append(ev.MetricsLogged(step=step, steps=1, elapsed_s=step / 50, lr=0.1, values=values))
        if step % 40 == 0:
            events.append(evaluated(step, step / 1000))
    record(folder, *events)
    with (folder.path / "events.jsonl").open("ab") as file:
        file.write(ev.encode(logged(400))[:60])
    whole, state = RunState(), summarize(folder).state
    whole.apply_all(events)
    assert (state.step, state.latest, state.best) == (whole.step, whole.latest, whole.best)
    assert (state.elapsed_s, state.lr) == (whole.elapsed_s, whole.lr)
    assert state.steps_per_s == pytest.approx(whole.steps_per_s, rel=0.1)
    assert len(state.series["train/loss"]) < 100


def test_damage_and_a_half_written_end_do_not_hide_a_run(folder: RunFolder) -> None:
    record(folder, started())
    with (folder.path / "events.jsonl").open("ab") as file:
        file.write(b"\xff\xff nonsense\n" + b"[" * 50_000 + b"\n" + ev.encode(logged(7)) + b'\n{"event":"Metr')
    assert summarize(folder).state.step == 7


def test_a_run_that_is_gone_raises(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"events\.jsonl"):
        summarize(RunFolder(tmp_path / "gone"))


def test_a_run_is_alive_while_its_lock_is_held(folder: RunFolder) -> None:
    record(folder, started(), logged(1))
    lock = folder.lock()
    assert summarize(folder).status == "running"
    lock.release()
    assert summarize(folder).status == "died"


def test_a_run_whose_engine_never_spoke_has_died_after_a_while(folder: RunFolder) -> None:
    summary = summarize(folder)
    assert summary.status == "starting"
    made_at = os.stat(folder.path / "config.toml").st_mtime
    assert status_of(folder, summary.state, now=made_at + STARTING_S + 1) == "died"
    lock = folder.lock()
    assert status_of(folder, summary.state, now=made_at + STARTING_S + 1) == "starting"
    lock.release()


def quiet(step: int, paused: bool = False) -> list[ev.AnyEvent]:
    """More than the two ends that are read, with nothing in it but signs of life."""
    return [ev.Heartbeat(step=step, memory_bytes=1, cpu_percent=0.0, paused=paused) for _ in range(2500)]


def test_a_pause_of_hours_is_still_a_pause(folder: RunFolder) -> None:
    record(folder, started(), logged(10), ev.RunPaused(step=10), *quiet(10, paused=True))
    with held(folder):
        assert summarize(folder).status == "paused"


def test_a_pause_that_is_long_over_is_over(folder: RunFolder) -> None:
    record(folder, started(), ev.RunPaused(step=10), *quiet(10), ev.RunContinued(step=10), *quiet(11))
    with held(folder):
        assert summarize(folder).status == "running"


def test_a_resume_in_the_middle_of_the_log_is_not_overlooked(folder: RunFolder) -> None:
    stopped = ev.RunStopped(step=10, elapsed_s=1.0, reason="asked")
    record(folder, started(), logged(10), stopped, *quiet(10), started(step=10), *quiet(12))
    with held(folder):
        assert summarize(folder).status == "running"
    assert summarize(folder).status == "died"


@pytest.mark.parametrize("after", [10, 2000])
def test_what_was_best_in_the_middle_of_a_long_log_is_known(folder: RunFolder, after: int) -> None:
    """A heartbeat repeats it, also where so many rows follow that none is near the end."""
    beat = ev.Heartbeat(step=7000, memory_bytes=1, cpu_percent=0.0, evaluated={"val/accuracy": 0.6}, best=(0.9, 3000))
    rows = [logged(step) for step in range(1, 3000)]
    middle = [evaluated(3000, 0.9), *rows, evaluated(6000, 0.6), *rows]
    record(folder, started(), logged(1), evaluated(10, 0.5), *rows, *middle, beat, *rows[:after])
    state = summarize(folder).state
    assert state.latest["val/accuracy"] == 0.6
    assert state.best is not None
    assert (state.best.value, state.best.step) == (0.9, 3000)


def test_an_evaluation_after_the_last_heartbeat_counts(folder: RunFolder) -> None:
    beat = ev.Heartbeat(step=7000, memory_bytes=1, cpu_percent=0.0, evaluated={"val/accuracy": 0.6}, best=(0.9, 3000))
    rows = [logged(step) for step in range(1, 3000)]
    record(folder, started(), *rows, evaluated(6990, 0.6), beat, evaluated(7001, 0.95))
    state = summarize(folder).state
    assert state.latest["val/accuracy"] == 0.95
    assert state.best is not None
    assert (state.best.value, state.best.step) == (0.95, 7001)


@contextmanager
def held(folder: RunFolder) -> Iterator[None]:
    lock = folder.lock()
    try:
        yield
    finally:
        lock.release()


@pytest.mark.parametrize("odd", ['"step":99999999999999999999999', '"step":-1', '"step":1,"at":1e300'])
def test_numbers_that_can_not_be_are_damage(folder: RunFolder, odd: str) -> None:
    with (folder.path / "events.jsonl").open("a") as file:
        file.write(f'{{"event":"RunContinued",{odd}}}\n')
    reader = folder.read_events()
    assert reader.read() == []
    assert [damage.line for damage in reader.damages] == [1]

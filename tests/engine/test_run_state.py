"""What is known of a run is a fold over its events."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import events as ev
from engine.event_lines import decode_line
from engine.run_state import ANSWERS_KEPT, LINES_KEPT, RunState


def started(step: int = 0, **changes: Any) -> ev.RunStarted:
    facts: dict[str, Any] = {
        "step": step,
        "at": 100.0 + step,
        "pid": 1,
        "host": "box",
        "device": "cpu",
        "device_name": "CPU",
        "threads": 1,
        "torch": "2",
        "parameters": 10,
        "train_rows": 100,
        "val_rows": 10,
        "batch_size": 10,
        "steps_per_epoch": 10,
        "epochs": 4,
        "metric": "val/accuracy",
        "higher_is_better": True,
    }
    return ev.RunStarted(**facts | changes)


def logged(step: int, loss: float | None = 1.0, elapsed_s: float | None = None) -> ev.MetricsLogged:
    elapsed_s = step / 10 if elapsed_s is None else elapsed_s
    return ev.MetricsLogged(step=step, at=0.0, steps=1, elapsed_s=elapsed_s, lr=0.1, values={"train/loss": loss})


def evaluated(step: int, accuracy: float | None) -> ev.Evaluated:
    values = {"val/accuracy": accuracy}
    return ev.Evaluated(step=step, at=0.0, epoch=step // 10, elapsed_s=step / 10, values=values)


def folded(*events: ev.AnyEvent) -> RunState:
    state = RunState()
    state.apply_all(events)
    return state


def test_a_run_from_its_start_to_its_end() -> None:
    state = folded(started(), logged(5, 2.0), logged(10, 1.0), evaluated(10, 0.5))
    assert (state.status(True), state.status(False)) == ("running", "died")
    assert (state.step, state.epoch, state.epochs, state.total_steps) == (10, 1.0, 4, 40)
    assert state.latest == {"train/loss": 1.0, "val/accuracy": 0.5}
    assert state.best == ("val/accuracy", 0.5, 1, 10)
    assert state.steps_per_s == pytest.approx(10)
    assert state.eta_s == pytest.approx(3)
    state.apply(ev.RunFinished(step=40, at=0.0, elapsed_s=4.0))
    assert state.status(False) == "finished"
    assert state.status(True) == "starting", "its engine holds the lock still, or a new one has only just taken it"
    assert (state.step, state.elapsed_s) == (40, 4.0)


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (ev.RunFinished(step=1, elapsed_s=1.0), "finished"),
        (ev.RunStopped(step=1, elapsed_s=1.0, reason="asked"), "stopped"),
        (ev.RunFailed(step=1, error="no"), "failed"),
    ],
)
def test_a_run_ends_in_exactly_one_way(ending: ev.AnyEvent, status: str) -> None:
    assert folded(started(), ending).status(False) == status


def test_the_speed_is_that_of_rows_not_of_a_heartbeat_ahead_of_them() -> None:
    beat = ev.Heartbeat(step=100_000, at=0.0, memory_bytes=1, cpu_percent=1.0)
    one_instant = [logged(step, elapsed_s=9.0) for step in range(1, 8000)]
    assert folded(started(), *one_instant, beat).steps_per_s == pytest.approx(7999 / 9)
    assert folded(started(), logged(50, elapsed_s=0.1), beat).steps_per_s == pytest.approx(500)


def test_a_run_without_any_event_is_starting() -> None:
    assert (RunState().status(True), RunState().status(False)) == ("starting", "starting")


@pytest.mark.parametrize(
    ("step", "epoch"), [(0, 1), (1, 1), (9, 1), (10, 1), (11, 2), (30, 3), (31, 4), (39, 4), (40, 4), (99, 4)]
)
def test_the_epoch_under_way_is_that_of_the_last_step(step: int, epoch: int) -> None:
    """Counted from 1, as best evaluations and pictures are; the last of a finished run, and never one too many."""
    state = RunState()
    assert state.epoch_under_way == 0
    state.apply_all([started(), logged(step)])
    assert state.epoch_under_way == epoch


def test_a_run_that_ended_early_never_began_another_epoch() -> None:
    state = RunState()
    state.apply_all([started(), logged(20), ev.RunFinished(step=20, elapsed_s=1.0, reason="no better val/accuracy")])
    assert (state.epoch_under_way, state.epochs) == (2, 4)


def test_pausing_and_going_on() -> None:
    state = folded(started(), logged(3), ev.RunPaused(step=4, at=0.0))
    assert (state.status(True), state.step, state.paused) == ("paused", 4, True)
    assert state.status(False) == "died"
    state.apply(ev.RunContinued(step=4, at=0.0))
    assert state.status(True) == "running"
    assert [marker.label for marker in state.markers] == ["paused", "continued"]


@pytest.mark.parametrize(("higher", "best"), [(True, 0.9), (False, 0.1)])
def test_the_best_is_the_highest_or_the_lowest_and_never_what_is_not_finite(higher: bool, best: float) -> None:
    state = folded(started(higher_is_better=higher))
    for step, value in ((10, 0.5), (20, None), (30, 0.9), (40, 0.1), (50, best)):
        state.apply(evaluated(step, value))
    assert state.best is not None
    assert state.best.value == best
    assert state.best.step < 50, "a tie keeps the earlier one"


def test_values_that_are_not_finite_are_gaps() -> None:
    state = folded(started(), logged(1, None))
    assert state.latest == {"train/loss": None}
    assert math.isnan(state.series["train/loss"].values[0])


def test_a_resumed_run_forgets_what_lay_after_its_checkpoint() -> None:
    state = folded(
        started(),
        logged(10, 3.0),
        evaluated(10, 0.5),
        ev.LearningRateChanged(step=12, at=0.0, old=0.1, new=0.2),
        logged(20, 2.0),
        evaluated(20, 0.9),
        ev.RunFailed(step=25, at=0.0, error="died"),
        started(15, elapsed_s=1.5),
    )
    assert list(state.series["train/loss"].steps) == [10]
    assert state.latest == {"train/loss": 3.0, "val/accuracy": 0.5}
    assert state.best == ("val/accuracy", 0.5, 1, 10)
    assert [(marker.step, marker.label) for marker in state.markers] == [(12, "lr 0.2"), (15, "resumed")]
    assert (state.status(True), state.step, state.elapsed_s, state.ending) == ("running", 15, 1.5, None)


def test_a_killed_run_will_change_its_learning_rate_where_it_was_changed() -> None:
    state = folded(started(), logged(10), ev.LearningRateChanged(step=20, at=0.0, old=0.1, new=0.2), logged(25))
    assert state.base_lr == 0.2
    state.apply_all([started(15), logged(18)])
    assert state.base_lr is None
    assert [(marker.step, marker.label) for marker in state.markers] == [(20, "lr 0.2"), (15, "resumed")]
    state.apply(logged(21))
    assert state.base_lr == 0.2


def test_a_learning_rate_set_now_overrules_what_was_set_later_before_a_crash() -> None:
    state = folded(started(), ev.LearningRateChanged(step=20, at=0.0, old=0.1, new=0.2), started(15))
    state.apply_all([ev.LearningRateChanged(step=17, at=0.0, old=0.1, new=0.05), logged(30)])
    assert state.base_lr == 0.05
    assert [marker.label for marker in state.markers] == ["resumed", "lr 0.05"]


def test_what_lies_after_the_step_gone_back_to_is_void() -> None:
    state = folded(started(), logged(10), ev.LearningRateChanged(step=20, at=0.0, old=0.1, new=0.2), logged(30, None))
    state.apply(ev.RolledBack(step=12, from_step=31, lr=0.05, reason="the loss became NaN"))
    assert (state.step, state.base_lr) == (12, 0.05)
    assert list(state.series["train/loss"].steps) == [10]
    assert [(marker.step, marker.label) for marker in state.markers] == [(12, "gone back"), (12, "lr 0.05")]
    assert "back from step 31 to 12: the loss became NaN" in state.lines[-1].text


def test_a_run_resumed_from_where_it_stopped_loses_nothing() -> None:
    state = folded(started(), logged(10), evaluated(10, 0.5), started(10, elapsed_s=1.0))
    assert list(state.series["train/loss"].steps) == [10]
    assert state.best == ("val/accuracy", 0.5, 1, 10)


def test_speed_is_that_of_the_last_seconds() -> None:
    slow = [logged(step, elapsed_s=step) for step in range(1, 101)]
    fast = [logged(100 + step, elapsed_s=100 + step / 100) for step in range(1, 1001)]
    assert folded(started(), *slow).steps_per_s == pytest.approx(1)
    assert folded(started(), *slow, *fast).steps_per_s == pytest.approx(100, rel=0.1)


def test_the_log_keeps_its_last_lines() -> None:
    state = RunState()
    for number in range(5 * LINES_KEPT):
        state.apply(ev.LineLogged(step=0, at=0.0, level="info", text=str(number)))
    assert LINES_KEPT <= len(state.lines) <= 2 * LINES_KEPT
    assert state.lines[-1].text == str(5 * LINES_KEPT - 1)


def test_what_happened_stands_in_the_log() -> None:
    state = folded(
        started(),
        ev.CheckpointSaved(step=1234, at=0.0, folder="checkpoints/step-1234", reason="asked", took_s=0.5),
        ev.CheckpointSaved(step=1300, at=0.0, folder="checkpoints/last", reason="schedule", took_s=0.5),
        ev.CommandRejected(step=1, at=0.0, command="pause", reason="not now"),
        ev.LineLogged(step=1, at=0.0, level="warning", text="slow"),
        ev.RunFailed(step=1, at=0.0, error="out of memory", cure="lower trainer.batch_size"),
    )
    assert [(line.level, line.text) for line in state.lines] == [
        ("info", "started on CPU, 1 thread, torch 2"),
        ("info", "checkpoint at step 1,234 (asked, 0.50 s)"),
        ("warning", "pause: not now"),
        ("warning", "slow"),
        ("error", "out of memory"),
        ("info", "lower trainer.batch_size"),
    ]
    assert state.checkpoint is not None
    assert state.checkpoint.step == 1300


STEPS = st.lists(st.integers(0, 50), max_size=40).map(sorted)


@given(STEPS, STEPS, st.integers(0, 50))
def test_steps_never_fall_whatever_is_resumed(before: list[int], after: list[int], at: int) -> None:
    state = folded(started(), *map(logged, before), started(at), *(logged(at + step) for step in after))
    steps = list(state.series["train/loss"].steps) if "train/loss" in state.series else []
    assert steps == sorted(steps)


def kept(step: int, epoch: int) -> ev.FigureDrawn:
    file = f"figures/samples-{epoch}.npz"
    return ev.FigureDrawn(step=step, name="samples", kind="gallery", title="t", file=file, epoch=epoch)


def test_pictures_of_epochs_are_kept_in_order_and_void_once_their_epoch_is_trained_again() -> None:
    latest = ev.FigureDrawn(step=35, name="samples", kind="gallery", title="t", file="figures/samples.npz")
    state = folded(started(), kept(10, 1), kept(20, 2), logged(30), kept(30, 3), latest)
    assert [drawn.epoch for drawn in state.kept["samples"]] == [1, 2, 3]
    assert state.figures["samples"] is latest
    state.apply(started(20))
    assert [drawn.epoch for drawn in state.kept["samples"]] == [1, 2]
    state.apply_all([kept(20, 2), kept(30, 3)])
    assert [drawn.epoch for drawn in state.kept["samples"]] == [1, 2, 3]


def test_every_event_is_folded_and_survives_its_json() -> None:
    events: list[ev.AnyEvent] = [
        started(),
        logged(1),
        evaluated(1, None),
        ev.EpochEnded(step=1, epoch=1, elapsed_s=0.1),
        ev.Heartbeat(step=1, memory_bytes=1, cpu_percent=2.0),
        ev.FigureDrawn(step=1, name="regions", kind="regions", title="t", file="figures/regions.npz"),
        ev.CheckpointSaved(step=1, folder="checkpoints/last", reason="end", took_s=0.1),
        ev.RunPaused(step=1),
        ev.RunContinued(step=1),
        ev.LearningRateChanged(step=1, old=0.1, new=0.2),
        ev.RolledBack(step=1, from_step=3, lr=0.1, reason="r"),
        ev.StepSkipped(step=2, what="loss", layer="model.output (Linear)", lr=0.1),
        ev.CommandRejected(step=1, command="pause", reason="r"),
        ev.Answered(step=1, id="x", values={"positive": 0.9}),
        ev.LineLogged(step=1, level="info", text="t"),
        ev.RunFinished(step=1, elapsed_s=0.1),
        ev.RunStopped(step=1, elapsed_s=0.1, reason="asked"),
        ev.RunFailed(step=1, error="e"),
    ]
    assert {type(event) for event in events} == set(ev.AnyEvent.__args__)
    assert [decode_line(ev.encode(event)) for event in events] == events
    assert folded(*events).version == len(events)


def test_the_last_answers_are_kept_by_the_ids_of_their_questions() -> None:
    state = RunState()
    for number in range(ANSWERS_KEPT + 3):
        state.apply(ev.Answered(step=number, id=str(number), values={"positive": 0.5}))
    assert len(state.answers) == ANSWERS_KEPT
    assert "2" not in state.answers
    assert state.answers[str(ANSWERS_KEPT + 2)].step == ANSWERS_KEPT + 2

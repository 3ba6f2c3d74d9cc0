"""Rows: means over the steps they cover, at the interval that was asked for, with as few host syncs as possible."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.event_lines import events_of, lines_of
from engine.events import AnyEvent, MetricsLogged
from engine.meters import Meter, NotFinite, to_floats
from engine.tasks.base import Observation, Task


class Echo(Task):
    """A task whose loss is what it is told."""

    metric, higher_is_better = "loss", False

    def __init__(self) -> None:
        self.weight = torch.zeros(())

    def set_lr(self, lr: float) -> None: ...

    def train_step(self, inputs: Tensor, targets: Tensor) -> Observation:
        return {"loss": inputs}

    evaluate = train_step

    def measure(self, observations: Sequence[Observation]) -> dict[str, Tensor]:
        return {"loss": torch.stack([observation["loss"] for observation in observations]).mean()}

    def gauged(self) -> Tensor | None:
        return self.weight.reshape(1).clone()

    def gauges(self, gauged: Tensor) -> dict[str, Tensor]:
        return {"param/w": gauged[:, 0]}


def run(losses: list[float], step_s: float = 0.01, total: int = 10**6, log_every: int = 0) -> list[MetricsLogged]:
    rows: list[MetricsLogged] = []
    task = Echo()
    meter = Meter(task, total, log_every, lambda *new: rows.extend(new))
    meter.restart(0.0)
    for step, loss in enumerate(losses, 1):
        task.weight.fill_(step)
        meter.add({"loss": torch.tensor(loss)}, step, step * step_s, 0.1)
    meter.flush_all(len(losses), len(losses) * step_s, 0.1)
    return rows


def test_rows_are_means_and_cover_every_step() -> None:
    rows = run([float(step) for step in range(1, 11)], log_every=4)
    assert [(row.step, row.steps, row.values["train/loss"]) for row in rows] == [(4, 4, 2.5), (8, 4, 6.5), (10, 2, 9.5)]


def test_gauges_are_those_of_the_rows_last_step() -> None:
    rows = run([1.0] * 6, log_every=2)
    assert [row.values["param/w"] for row in rows] == [2.0, 4.0, 6.0]


def test_an_automatic_interval_gives_about_500_rows() -> None:
    assert len(run([1.0] * 2000, step_s=0.01, total=2000)) == 500


def test_a_quick_run_gets_fewer_rows_and_a_slow_one_more_than_its_interval() -> None:
    assert len(run([1.0] * 1000, step_s=1e-5, total=1000)) < 10
    assert len(run([1.0] * 20, step_s=0.3, total=10**6)) == 20


def test_rows_of_an_old_run_cover_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.meters.ROWS_WHEN_OLD", 100)
    losses = [float(step) for step in range(1, 1001)]
    rows = run(losses, step_s=0.25)
    young = [row for row in rows if row.elapsed_s <= 25]
    assert [row.steps for row in young] == [1] * 100
    assert all(row.steps == math.ceil(row.elapsed_s / 25) for row in rows[100:-1])
    assert sum(row.steps for row in rows) == 1000
    assert all(value == float(f"{value:.7g}") for row in rows for value in row.values.values() if value is not None)
    assert sum(row.steps * (row.values["train/loss"] or 0) for row in rows) == pytest.approx(sum(losses), rel=1e-6)
    assert run(losses, step_s=0.25, log_every=1)[-1].steps == 1


def test_rows_of_an_old_run_that_were_asked_for_share_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.meters.ROWS_WHEN_OLD", 100)
    monkeypatch.setattr("time.time", count(0.0, 0.5).__next__)
    handed: list[list[bytes]] = []
    meter = Meter(Echo(), 10, 1, lambda *rows: handed.append(lines_of(rows)))
    meter.restart(0.0)
    for step in range(1, 1001):
        meter.add({"loss": torch.tensor(float(step))}, step, step * 0.25, 0.1)
    meter.flush_all(1000, 250.0, 0.1)
    assert {len(lines) for lines in handed} == {1}
    rows = [row for (line,) in handed for row in events_of(line)]
    assert [(row.step, row.steps, row.values["train/loss"]) for row in rows] == [(n, 1, n) for n in range(1, 1001)]
    by_line = [len(list(events_of(line))) for (line,) in handed]
    assert by_line[:100] == [1] * 100
    assert max(by_line) == 10


def test_what_is_asked_for_is_handed_on_however_old_a_run_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.meters.ROWS_WHEN_OLD", 100)
    rows: list[AnyEvent] = []
    meter = Meter(Echo(), 10**6, 0, lambda *new: rows.extend(new))
    meter.restart(1000.0)
    for step in range(1, 9):
        meter.add({"loss": torch.tensor(float(step))}, step, 1000 + step / 4, 0.1)
        if step == 3:
            meter.flush()
    assert [row.step for row in rows] == [1, 3]
    with pytest.raises(NotFinite):
        meter.add({"loss": torch.tensor(math.nan)}, 9, 1003.0, 0.1)
    assert [row.step for row in rows] == [1, 3, 8, 9]
    meter.add({"loss": torch.tensor(1.0)}, 10, 1004.0, 0.1)
    meter.forget()
    meter.flush_all(10, 1004.0, 0.1)
    assert len(rows) == 4


@pytest.mark.parametrize(("age_s", "together"), [(0.0, [1, 7, 7, 7, 3]), (100.0, [1, 7, 13, 4])])
def test_rows_that_were_worked_out_together_are_handed_on_together(age_s: float, together: list[int]) -> None:
    handed: list[int] = []
    meter = Meter(Echo(), 10, 1, lambda *new: handed.append(len(new)))
    meter.restart(age_s)
    for step in range(1, 26):
        meter.add({"loss": torch.tensor(1.0)}, step, age_s + step / 64, 0.1)
    meter.flush()
    assert handed == together


def test_rows_that_come_one_by_one_do_not_wait_for_others() -> None:
    handed: list[int] = []
    meter = Meter(Echo(), 900, 0, lambda *new: handed.append(len(new)))
    meter.restart(100.0)
    for step in range(1, 21):
        meter.add({"loss": torch.tensor(1.0)}, step, 100 + 0.11 * step, 0.1)
    assert handed == [1] * 20


def test_large_outputs_do_not_wait_to_be_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.meters.MOST_HELD_BYTES", 10)  # two losses of float32, and no third
    rows: list[MetricsLogged] = []
    meter = Meter(Echo(), 10, 1, lambda *new: rows.extend(new))
    meter.restart(0.1)
    meter.flush_all(0, 0.1, 0.1)
    seen = list[int]()
    for step in range(1, 8):
        meter.add({"loss": torch.tensor(1.0)}, step, 0.1 + (1e-6 * step), 0.1)
        seen.append(len(rows))
    assert seen == [1, 1, 1, 4, 4, 4, 7]


def test_a_loss_that_is_not_finite_is_handed_on_and_raised() -> None:
    with pytest.raises(NotFinite, match=r"between steps 3 and 4, with learning rate 0\.1"):
        run([1.0, 1.0, float("nan"), 1.0], log_every=2)
    with pytest.raises(NotFinite, match="at step 2"):
        run([1.0, float("inf")], log_every=1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], []), ([1.0, float("nan"), float("-inf")], [1.0, None, None]), ([1 / 3], [0.3333333])],
)
def test_numbers_leave_the_device_together(values: list[float], expected: list[Any]) -> None:
    assert to_floats([torch.tensor(value) for value in values]) == expected


def test_whole_numbers_and_shapes_do_not_matter() -> None:
    assert to_floats([torch.tensor(3), torch.tensor([0.5]), torch.tensor([[True]])]) == [3.0, 0.5, 1.0]

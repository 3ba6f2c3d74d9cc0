"""Drawing takes as many rows as there is time for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine import figure_studio
from engine.checkpoint import random_states
from engine.data.bundle import DataBundle, Split
from engine.events import AnyEvent, LineLogged
from engine.figure_studio import COST_RATIO, FEWEST_ROWS, SAMPLE_ROWS, SHORTEST_S, FigureStudio
from engine.figures import Figure
from engine.tasks.base import Sample
from tests.pretended import pretend


class Artist:
    """Draws nothing, at its own pace."""

    device = torch.device("cpu")

    def __init__(self, clock: list[float], row_s: float) -> None:
        self.clock, self.row_s, self.rows = clock, row_s, list[int]()

    def figures(self, sample: Split) -> list[Figure]:
        self.rows.append(len(sample))
        assert len(sample.targets) == len(sample)
        self.clock[0] += 0.01 + self.row_s * len(sample)
        return []


@pytest.mark.parametrize(
    ("row_s", "val_rows", "expected"),
    [
        (1e-6, 30_000, [FEWEST_ROWS, 4_761, SAMPLE_ROWS]),
        (1e-6, 360, [360, 360, 360]),
        # about 1,000 rows a second: a tenth of one while it trains, two at the end
        (1e-3, 30_000, [FEWEST_ROWS, FEWEST_ROWS, 1_960]),
        (2e-4, 30_000, [FEWEST_ROWS, FEWEST_ROWS, 9_090]),
        (1e-4, 30_000, [FEWEST_ROWS, 833, SAMPLE_ROWS]),
        (1.0, 30_000, [FEWEST_ROWS, FEWEST_ROWS, FEWEST_ROWS]),
    ],
)
def test_a_slow_network_is_drawn_from_fewer_rows(
    row_s: float, val_rows: int, expected: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(figure_studio, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    artist: Any = Artist(clock, row_s)
    train, val = (Split(torch.zeros(rows, 1), torch.zeros(rows)) for rows in (4, val_rows))
    studio = FigureStudio(artist, DataBundle(train, val, (1,), 1), tmp_path, lambda event: None)
    studio.draw(0)
    studio.draw_if_due(1)
    assert len(artist.rows) == 1
    clock[0] += COST_RATIO * (0.02 + row_s * FEWEST_ROWS)
    studio.draw_if_due(2)
    studio.draw(3)
    studio.draw(3)
    assert artist.rows == [pytest.approx(rows, rel=0.01) for rows in expected]


def test_what_a_gpu_does_only_once_says_nothing_of_the_next_drawing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(figure_studio, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    artist: Any = Artist(clock, 0.01)
    with pretend(monkeypatch):
        artist.device = torch.device("cuda", 0)
        rows = Split(torch.zeros(30_000, 1), torch.zeros(30_000))
        studio = FigureStudio(artist, DataBundle(rows, None, (1,), 1), tmp_path, lambda event: None)
        studio.draw(0)
        artist.row_s = 1e-5
        for step in (1, 2, 3):
            clock[0] += SHORTEST_S if step == 1 else COST_RATIO * 0.05
            studio.draw_if_due(step)
    assert artist.rows == [FEWEST_ROWS, FEWEST_ROWS, 2048, 4096]  # powers of two


@pytest.mark.parametrize(("hours", "expected_s"), [(0, SHORTEST_S), (1, SHORTEST_S), (4, 2.0), (24, 12.0)])
def test_pictures_of_a_long_run_are_drawn_less_often(
    hours: int, expected_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(figure_studio, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    artist: Any = Artist(clock, 0.0)
    monkeypatch.setattr(figure_studio, "COST_RATIO", 0)
    rows = Split(torch.zeros(4, 1), torch.zeros(4))
    studio = FigureStudio(artist, DataBundle(rows, None, (1,), 1), tmp_path, lambda event: None)
    clock[0] += 3600 * hours
    studio.draw(1)
    clock[0] += 0.99 * expected_s
    studio.draw_if_due(2)
    assert len(artist.rows) == 1
    clock[0] += 0.02 * expected_s
    studio.draw_if_due(2)
    assert len(artist.rows) == 2


def test_rows_of_sorted_data_are_drawn_by_lot_and_what_is_drawn_meanwhile_disturbs_nothing(tmp_path: Path) -> None:
    seen: list[Split] = []

    def figures(sample: Split) -> list[Figure]:
        seen.append(sample)
        torch.rand(5), np.random.rand()
        return []

    rows = 4 * FEWEST_ROWS
    sorted_rows = Split(torch.arange(rows)[:, None], torch.arange(rows) // FEWEST_ROWS)
    task: Any = SimpleNamespace(figures=figures, device=torch.device("cpu"))
    bundle = DataBundle(sorted_rows, None, (1,), 4)
    before = random_states(task.device)
    for _ in range(2):
        FigureStudio(task, bundle, tmp_path, lambda event: None).draw(0)
    assert torch.equal(seen[0].inputs, seen[1].inputs)
    assert torch.equal(seen[0].inputs[:, 0] // FEWEST_ROWS, seen[0].targets)
    assert seen[0].targets.bincount().min() > FEWEST_ROWS / 8
    after = random_states(task.device)
    assert torch.equal(before["torch"], after["torch"]) and before["python"] == after["python"]
    assert torch.equal(before["numpy"][1], after["numpy"][1]) and before["numpy"][2:] == after["numpy"][2:]


def test_what_an_evaluation_has_found_is_not_worked_out_again(tmp_path: Path) -> None:
    seen: list[Sample] = []

    def figures(sample: Sample) -> list[Figure]:
        seen.append(sample)
        return []

    rows = 4 * FEWEST_ROWS
    split = Split(torch.arange(rows)[:, None], torch.zeros(rows))
    task: Any = SimpleNamespace(figures=figures, device=torch.device("cpu"))
    studio = FigureStudio(task, DataBundle(split, None, (1,), 1), tmp_path, lambda event: None)
    studio.answers(7, (2 * split.inputs).split(3))
    studio.draw(7)
    assert seen[0].outputs is not None
    assert len(seen[0]) == rows and torch.equal(seen[0].outputs, 2 * seen[0].inputs)
    studio.answers(8, [2 * split.inputs])
    studio.draw(9)  # steps later, weights are others
    assert seen[1].outputs is None


@pytest.mark.parametrize("voids", [FigureStudio.forget, lambda studio: studio.draw_if_due(1)], ids=["forget", "step"])
def test_outputs_are_let_go_once_they_are_void(voids: Callable[[FigureStudio], None], tmp_path: Path) -> None:
    """After a return to a checkpoint the same step has other weights; and what nobody draws is not kept in memory."""
    seen: list[Sample] = []
    task: Any = SimpleNamespace(figures=lambda sample: seen.append(sample) or [], device=torch.device("cpu"))
    rows = Split(torch.zeros(4, 1), torch.zeros(4))
    studio = FigureStudio(task, DataBundle(rows, None, (1,), 1), tmp_path, lambda event: None)
    studio.draw(0)  # so that another is not due
    studio.answers(1, [rows.inputs])
    voids(studio)
    studio.draw(1)
    assert seen[1].outputs is None


@pytest.mark.parametrize("outputs", [torch.zeros(4, 1 << 19), None], ids=["too many", "out of memory"])
def test_outputs_that_cannot_be_drawn_from_end_no_run(outputs: Tensor | None, tmp_path: Path) -> None:
    class Full:
        def numel(self) -> int:
            return 4

    seen: list[Sample] = []
    task: Any = SimpleNamespace(figures=lambda sample: seen.append(sample) or [], device=torch.device("cpu"))
    rows, events = Split(torch.zeros(4, 1), torch.zeros(4)), list[AnyEvent]()
    studio = FigureStudio(task, DataBundle(rows, None, (1,), 1), tmp_path, events.append)
    pieces: Any = [Full() if outputs is None else outputs]
    studio.answers(1, pieces)
    studio.draw(1)
    if outputs is None:
        assert [type(event) for event in events] == [LineLogged]
    else:
        assert [sample.outputs for sample in seen] == [None]

"""Numbers that are not finite neither break pictures nor pass for good ones; one bad evaluation ends no run."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.data.bundle import DataBundle, Split
from engine.events import AnyEvent, Evaluated, LineLogged, RunFinished
from engine.figure_studio import FigureStudio
from engine.figures import load_figure
from engine.run_folder import RunFolder
from engine.run_state import RunState
from engine.schema import overlay
from engine.tasks import Task
from engine.tasks.binary import _first_zero
from tests.engine.helpers import recorded
from tests.engine.test_tasks import DIGITS, HOURS, PLANE, SPIRAL, make
from tests.engine.test_tasks_gan import GAN
from tests.engine.test_text_tasks import HELLO
from tests.engine.user_code import custom, train, write

NAN, INF = float("nan"), float("inf")
TREES: dict[str, dict[str, Any]] = {
    "plane": PLANE,
    "line": overlay(PLANE, {"data": {"kind": "points"}}),
    "cubic": overlay(PLANE, {"data": {"kind": "cubic"}, "model": {"kind": "mlp"}}),
    "wide": overlay(PLANE, {"data": {"kind": "high-dimensional", "features": 30}}),
    "hours": HOURS,
    "spiral": SPIRAL,
    "linear": overlay(DIGITS, {"task": {"kind": "classification"}, "model": {"kind": "linear"}}),
    "cnn": overlay(DIGITS, {"task": {"kind": "classification"}, "model": {"kind": "cnn", "padding": "same"}}),
    "numpy": DIGITS,
    "hello": HELLO,
    "gan": GAN,
}


def spoil(task: Task, value: float) -> None:
    with torch.no_grad():
        for module in task.modules.values():
            for parameter in module.parameters():
                parameter.fill_(value)


def draw(task: Task, folder: Path) -> list[dict[str, Any]]:
    """Arrays of all figures, stored and read again; none failed, and numpy did not complain."""
    events: list[AnyEvent] = []
    folder.mkdir()
    studio = FigureStudio(task, task.data, folder, events.append)
    studio.keep(0, 1)
    studio.draw(1)
    assert not [event for event in events if isinstance(event, LineLogged)]
    return [load_figure(file) for file in sorted(folder.iterdir())]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", sorted(TREES))
def test_networks_of_nan_are_drawn_and_measured(kind: str, tmp_path: Path) -> None:
    task = make(TREES[kind])[0]
    split = task.data.val or task.data.train
    for place, value in enumerate((NAN, 3e38)):
        spoil(task, value)
        assert draw(task, tmp_path / str(place))
        measured = task.measure([task.evaluate(task.data.prepare(split.inputs), split.targets)])
        assert not measured["loss_d" if kind == "gan" else "loss"].isfinite()


def spoilt(data: DataBundle, value: float) -> DataBundle:
    """`data` with one row whose numbers are all `value`."""

    def one(split: Split) -> Split:
        inputs, targets = split.inputs.clone(), split.targets.clone()
        inputs[-1] = value
        if targets.is_floating_point() and not data.class_names:
            targets[-1] = value
        return Split(inputs, targets)

    return replace(data, train=one(data.train), val=one(data.val) if data.val else None)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["plane", "line", "cubic", "wide", "hours", "spiral"])
def test_data_that_is_not_finite_is_drawn_on_finite_axes(kind: str, tmp_path: Path) -> None:
    for place, value in enumerate((NAN, INF, -INF, 3e38)):
        task = make(TREES[kind])[0]
        task.data = spoilt(task.data, value)
        for arrays in draw(task, tmp_path / str(place)):
            for axis in {"line_x", "extent"} & arrays.keys():
                assert np.isfinite(arrays[axis]).all()
                assert arrays[axis][0] < arrays[axis][-1] or axis == "extent"


def test_axes_of_nothing_finite_reach_from_0_to_1(tmp_path: Path) -> None:
    task = make(TREES["line"])[0]
    task.data = replace(task.data, train=Split(torch.full((3, 1), NAN), torch.full((3, 1), NAN)), val=None)
    (line_x,) = (arrays["line_x"] for arrays in draw(task, tmp_path / "figures") if "line_x" in arrays)
    assert (line_x[0], line_x[-1]) == (pytest.approx(-0.05), pytest.approx(1.05))


def test_a_guess_flips_between_numbers_only() -> None:
    x = np.arange(5.0)
    assert _first_zero(x, np.array([-1, NAN, -INF, 1, 2])) is None
    assert _first_zero(x, np.array([-NAN, NAN, -1, 1, INF])) == 2.5


@pytest.mark.parametrize("kind", ["hours", "spiral", "linear", "numpy", "hello"])
def test_nan_is_no_right_answer(kind: str) -> None:
    """Its highest score would be that of the first class, and it lies below every threshold."""
    task = make(TREES[kind])[0]
    train = task.data.train
    spoil(task, NAN)
    observed = task.evaluate(task.data.prepare(train.inputs), train.targets)
    assert task.measure([observed])["accuracy"] == 0
    right = {**observed, "outputs": torch.where(observed["targets"] == 1, 1.0, -1.0)}
    if kind == "hours":
        right["outputs"][0] = NAN
        assert task.measure([right])["accuracy"].item() == pytest.approx(1 - 1 / len(train))


class Clumsy:
    """Draws like a network of somebody's own that trips over something."""

    device = torch.device("cpu")

    def figures(self, sample: Split) -> list[Any]:
        raise AttributeError("no such\n\x1b[31mthing")

    end_epoch = figures


def test_whatever_a_figure_raises_costs_one_warning(tmp_path: Path) -> None:
    events: list[AnyEvent] = []
    task: Any = Clumsy()
    rows = Split(torch.zeros(4, 1), torch.zeros(4))
    studio = FigureStudio(task, DataBundle(rows, None, (1,), 1), tmp_path, events.append)
    studio.keep(0, 0)
    for step in range(3):
        studio.draw(step)
    (line,) = events
    assert isinstance(line, LineLogged)
    assert (line.level, line.step) == ("warning", 0)
    assert line.text == "figures can't be drawn: AttributeError: no such \N{REPLACEMENT CHARACTER}[31mthing"


ODD_EVALUATIONS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.layer = nn.Linear(2, outputs)
        self.register_buffer("passes", torch.tensor(0))

    def forward(self, x):
        if self.training:
            self.passes += 1
            return self.layer(x)
        epoch = self.passes // 3
        return self.layer(x) * (torch.nan if epoch % 2 else 1)

def load(seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(60, 2, generator=generator)
    y = x.sum(1, keepdim=True)
    return (x[20:], y[20:]), (x[:20], y[:20])
"""
"""Every other evaluation is NaN, and training never is."""


@pytest.fixture
async def odd_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run of six epochs, of whose evaluations those after odd epochs are NaN."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    file = write(tmp_path, ODD_EVALUATIONS)
    settings = {"epochs": 6, "eval_every": 1}
    data = {"kind": "custom", "target": f"{file}:load", "targets": "numbers"}
    config = custom(file, data=data, task={"kind": "regression", "loss": "mse"}, trainer=settings)
    folder, events = await train(tmp_path, config)
    assert isinstance(events[-1], RunFinished), events[-1]
    return folder


async def test_an_evaluation_that_is_nan_is_a_gap_and_never_the_best(odd_run: RunFolder) -> None:
    evaluations = [event for event in recorded(odd_run) if isinstance(event, Evaluated)]
    losses = [event.values["val/loss"] for event in evaluations]
    assert [loss is None for loss in losses] == [True, False] * 3
    finite = [loss for loss in losses if loss is not None]
    state = RunState()
    state.apply_all(recorded(odd_run))
    assert state.best is not None
    assert (state.best.value, state.best.epoch % 2) == (min(finite), 0)
    assert (odd_run.checkpoints / "best").exists()

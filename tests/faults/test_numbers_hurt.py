"""A loss or a gradient that is not finite: found at its step, named, and got over as the run was told to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from engine import commands as cmd
from engine import events as ev
from engine.checkpoint import load_checkpoint
from engine.due import Due
from engine.keeper import Keeper, Progress
from engine.recovery import MOST_RETURNS, MOST_SKIPS
from engine.replay import replay
from engine.run_folder import RunFolder, create_run
from engine.run_state import RunState
from engine.schema import overlay, validate
from engine.session import Session
from engine.tasks import build_task
from tests.engine.helpers import collect, config, last_weights, make_run, recorded, same_bits
from tests.engine.test_tasks import HOURS, PLANE
from tests.engine.test_tasks_gan import GAN
from tests.engine.test_text_tasks import HELLO
from tests.engine.user_code import write
from tests.faults.curve import assert_every_step_once

Tally = Callable[[str, int], None]

TRAP = """
import pathlib

import torch
from torch import nn

class HugeSlope(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, slope):
        return torch.full_like(slope, 5e36)

class InfiniteSlope(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, slope):
        return slope * float("inf")

class Trap(nn.Module):
    def __init__(self, at, spoils, while_there_is):
        super().__init__()
        self.at, self.spoils, self.armed = at, spoils, pathlib.Path(while_there_is) if while_there_is else None
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x):
        if self.training:
            self.calls += 1
            if self.at and self.calls == self.at and (self.armed is None or self.armed.exists()):
                if self.armed is not None:
                    self.armed.unlink()
                slopes = {"gradient": InfiniteSlope, "weights": HugeSlope}
                return slopes[self.spoils].apply(x) if self.spoils in slopes else x * float("nan")
        marked = (x.detach().abs() > 1e5).any(dim=1, keepdim=True)
        return x.masked_fill(marked, float("nan")) if self.spoils == "rows" else x

class Net(nn.Module):
    def __init__(self, input_shape, outputs, at=0, spoils="loss", while_there_is=""):
        super().__init__()
        self.first = nn.Linear(input_shape[0], 8)
        self.trap = Trap(at, spoils, while_there_is)
        self.drop = nn.Dropout(0.1)
        self.last = nn.Linear(8, outputs)

    def forward(self, x):
        return self.last(self.drop(self.trap(self.first(x)).tanh()))

def load(seed, bad_rows=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(80, 2, generator=generator)
    y = (x.norm(dim=1) > 1).long()
    x[:bad_rows] = 1e7
    return (x[:64], y[:64]), (x[64:], y[64:])
"""
EPOCH = 8
"""Steps in an epoch of these rows."""


def trapped(
    folder: Path, bad_rows: int = 0, args: dict[str, Any] | None = None, lr: float = 0.01, **trainer: Any
) -> RunFolder:
    """A run of a network that makes an infinity at a given step, or of given rows."""
    net = write(folder, TRAP)
    tree = {
        "task": {"kind": "classification"},
        "data": {"kind": "custom", "target": f"{net}:load", "args": {"bad_rows": bad_rows}},
        "model": {"kind": "custom", "target": f"{net}:Net", "args": args or {}},
        "optimizer": {"kind": "adam", "lr": lr} if lr < 1 else {"kind": "sgd", "lr": lr},
        "trainer": {"epochs": 20, "batch_size": 8, "log_every": 3, "device": "cpu", "threads": 1, **trainer},
    }
    return create_run(folder / "runs", validate(tree), folder)


def told(folder: RunFolder, kind: type[ev.AnyEvent]) -> list[Any]:
    return [event for event in recorded(folder) if isinstance(event, kind)]


@pytest.mark.parametrize("spoils", ["loss", "gradient"])
async def test_a_run_stops_at_the_very_step_and_names_it(tmp_path: Path, spoils: str, tally: Tally) -> None:
    steps = (1, 2, EPOCH, EPOCH + 1, 100)
    for step in steps:
        folder = trapped(
            tmp_path / str(step), args={"at": step, "spoils": spoils}, checkpoint_every_s=0.05 if step == 100 else 30
        )
        await collect(folder.config(), folder)
        (failed,) = told(folder, ev.RunFailed)
        what = "loss" if spoils == "loss" else r"gradient of model.first.\w+"
        where = r"model.trap \(Trap\)" if spoils == "loss" else "model.first"
        pattern = rf"the {what} became NaN or infinite at step {step}, first in {where}.*, with learning rate 0.01"
        assert re.fullmatch(pattern, failed.error)
        assert failed.step == step - 1 == assert_every_step_once(recorded(folder))
        saved = [event.step for event in told(folder, ev.CheckpointSaved)]
        good = f"the last good checkpoint is of step {saved[-1]}:" if saved else "there is no checkpoint yet:"
        assert failed.cure.startswith(good)
        assert bool(saved) == (step == 100)
    tally(f"{spoils} not finite: stopped at its step", len(steps))


@pytest.mark.parametrize(
    "tree",
    [
        overlay(PLANE, {"optimizer": {"kind": "sgd", "lr": 50.0}}),
        overlay(PLANE, {"task": {"kind": "regression-scratch"}, "optimizer": {"kind": "sgd", "lr": 50.0}}),
        overlay(HOURS, {"optimizer": {"kind": "sgd", "lr": 100.0, "weight_decay": 0.9}}),
        overlay(HELLO, {"optimizer": {"kind": "sgd", "lr": 100.0, "weight_decay": 0.9}}),
        overlay(GAN, {"optimizer": {"kind": "sgd", "lr": 100.0, "weight_decay": 0.9}}),
    ],
    ids=lambda tree: tree["task"]["kind"],
)
async def test_what_explodes_by_itself_is_found_whatever_is_trained(tmp_path: Path, tree: Any, tally: Tally) -> None:
    over = {"trainer": {"epochs": 300, "device": "cpu", "threads": 1, "log_every": 7}}
    folder = create_run(tmp_path, validate(overlay(tree, over)), tmp_path)
    await collect(folder.config(), folder)
    (failed,) = told(folder, ev.RunFailed)
    found = re.match(r"the (.*) became NaN or infinite at step (\d+),", failed.error)
    assert found
    assert int(found[2]) == failed.step + (found[1] != "weights"), "an update that was too large has been made"
    assert assert_every_step_once(recorded(folder)) == failed.step
    assert not (folder.checkpoints / "last").exists()
    tally("loss not finite: stopped at its step", 1)


async def test_a_rate_set_too_high_is_found_and_a_lower_one_goes_on_from_the_last_checkpoint(tmp_path: Path) -> None:
    folder = make_run(
        tmp_path,
        optimizer={"kind": "sgd", "lr": 0.1, "weight_decay": 0.5},
        model={"kind": "mlp", "hidden": [64, 64, 64]},
        trainer={"epochs": 60, "log_every": 3},
    )
    async for _ in Session(folder, [Due(60, cmd.SetLearningRate(lr=100.0))]).events():
        pass
    (failed,) = told(folder, ev.RunFailed)
    changes = told(folder, ev.LearningRateChanged)
    assert [(change.step, change.new) for change in changes] == [(60, 100.0)]
    assert "dltui resume spiral-1 --lr 10;" in failed.cure
    folder.ask_to_resume(lr=0.05)
    await collect(folder.config(), folder)
    assert isinstance(recorded(folder)[-1], ev.RunFinished)
    assert assert_every_step_once(recorded(folder)) == 60 * EPOCH


async def test_a_run_goes_back_and_halves_its_rate_until_it_learns(tmp_path: Path, tally: Tally) -> None:
    folder = make_run(
        tmp_path,
        optimizer={"kind": "sgd", "lr": 100.0},
        model={"kind": "mlp", "hidden": [64, 64, 64]},
        trainer={"epochs": 30, "on_nonfinite": "halve", "log_every": 3},
    )
    await collect(folder.config(), folder)
    assert isinstance(recorded(folder)[-1], ev.RunFinished)
    returns = told(folder, ev.RolledBack)
    assert [back.lr for back in returns] == [100 / 2 ** (number + 1) for number in range(len(returns))]
    assert returns
    assert all(weight.isfinite().all() for weight in last_weights(folder).values())
    assert assert_every_step_once(recorded(folder)) == 30 * EPOCH
    state = RunState()
    state.apply_all(recorded(folder))
    assert state.base_lr == returns[-1].lr
    tally("loss not finite: gone back with half the rate", len(returns))


async def test_what_half_the_rate_does_not_mend_ends_the_run(tmp_path: Path) -> None:
    folder = trapped(tmp_path, args={"at": 20}, on_nonfinite="halve")
    await collect(folder.config(), folder)
    (failed,) = told(folder, ev.RunFailed)
    assert "NaN or infinite" in failed.error
    assert len(told(folder, ev.RolledBack)) == MOST_RETURNS - 1
    # nothing of the bad steps has been kept
    assert not (folder.checkpoints / "last").exists()


async def test_steps_of_bad_rows_are_skipped_and_the_others_learned_from(tmp_path: Path, tally: Tally) -> None:
    folder = trapped(tmp_path, bad_rows=2, args={"spoils": "rows"}, on_nonfinite="skip")
    await collect(folder.config(), folder)
    assert isinstance(recorded(folder)[-1], ev.RunFinished)
    skipped = told(folder, ev.StepSkipped)
    assert 20 <= len(skipped) <= 40, "one or two batches of each epoch"
    assert {(skip.what, skip.layer) for skip in skipped} == {("loss", "model.trap (Trap)")}
    assert assert_every_step_once(recorded(folder)) == 20 * EPOCH
    assert all(weight.isfinite().all() for weight in last_weights(folder).values())
    tally("loss not finite: step skipped", len(skipped))


async def test_where_every_step_is_bad_skipping_ends(tmp_path: Path) -> None:
    folder = trapped(tmp_path, bad_rows=64, args={"spoils": "rows"}, on_nonfinite="skip")
    await collect(folder.config(), folder)
    (failed,) = told(folder, ev.RunFailed)
    assert len(told(folder, ev.StepSkipped)) == MOST_SKIPS
    assert failed.step == MOST_SKIPS


def test_what_was_gone_back_to_and_skipped_is_replayed(tmp_path: Path, tally: Tally) -> None:
    halved = make_run(
        tmp_path,
        optimizer={"kind": "sgd", "lr": 100.0},
        model={"kind": "mlp", "hidden": [64, 64, 64]},
        trainer={"epochs": 10, "on_nonfinite": "halve"},
    )
    skipping = trapped(tmp_path, bad_rows=2, args={"spoils": "rows"}, on_nonfinite="skip")
    for folder in (halved, skipping):
        asyncio.run(collect(folder.config(), folder))
        found = replay(folder, tmp_path)
        assert found is not None
        assert found.is_same
        tally("replayed with its commands: same bits", 1)


async def test_a_stop_that_comes_upon_bad_numbers_stops_where_they_were_good(tmp_path: Path) -> None:
    """As if a person had pressed stop at once: the numbers are looked at only then."""
    folder = trapped(tmp_path, args={"at": 3}, log_every=1_000_000, epochs=1000)
    session = Session(folder, [Due(6, cmd.Stop())])
    async for _ in session.events():
        pass
    (back,) = told(folder, ev.RolledBack)
    assert (back.from_step, back.step) == (6, 0)
    assert "the run was to stop" in back.reason
    stopped = recorded(folder)[-1]
    assert isinstance(stopped, ev.RunStopped)
    assert stopped.step == 0 == load_checkpoint(folder.checkpoints / "last").step


def test_weights_that_are_not_finite_take_no_good_checkpoints_place(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    from engine.data import load_data

    data = load_data(config().data, 0, tmp_path)
    task = build_task(config(), data, torch.device("cpu"))
    keeper = Keeper(task, folder, lambda: 0)
    keeper.save(Progress())
    assert keeper.weights_are_finite()
    with torch.no_grad():
        next(iter(task.modules["model"].parameters())).view(-1)[0] = float("inf")
    assert not keeper.weights_are_finite()


async def test_a_pause_that_comes_upon_bad_numbers_is_obeyed_after_going_back(tmp_path: Path) -> None:
    folder = make_run(
        tmp_path,
        optimizer={"kind": "sgd", "lr": 100.0},
        model={"kind": "mlp", "hidden": [64, 64, 64]},
        trainer={"epochs": 30, "on_nonfinite": "halve", "log_every": 1_000_000},
    )
    for command in (cmd.SetLearningRate(lr=100.0), cmd.SetLearningRate(lr=99.0)):
        folder.ask(command)
    await collect(folder.config(), folder)
    assert [change.new for change in told(folder, ev.LearningRateChanged)] == [100.0, 99.0]
    assert isinstance(recorded(folder)[-1], ev.RunFinished)


def test_the_same_weights_come_of_any_policy_while_numbers_are_finite(tmp_path: Path) -> None:
    weights = []
    for policy in ("stop", "skip", "halve"):
        folder = make_run(tmp_path / policy, trainer={"on_nonfinite": policy})
        asyncio.run(collect(folder.config(), folder))
        weights.append(last_weights(folder))
    assert same_bits(weights[0], weights[1])
    assert same_bits(weights[0], weights[2])

"""A run that was broken off and resumed ends with the same bits as one that was never disturbed."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import engine
from engine import commands as cmd
from engine import events as ev
from engine.checkpoint import CheckpointError, load_checkpoint
from engine.data import load_data
from engine.keeper import Keeper, Progress
from engine.run_folder import RunFolder
from engine.run_state import RunState
from engine.tasks import build_task
from engine.tasks.classification import ClassificationTask
from tests.engine.helpers import collect, config, last_weights, make_run, recorded, same_bits, stop_at

SYSTEMS: dict[str, dict[str, Any]] = {
    "adam-dropout-cosine": {},
    "sgd-momentum-onecycle": {
        "optimizer": {"kind": "sgd", "lr": 0.1, "momentum": 0.9},
        "schedule": {"kind": "one-cycle"},
        "model": {"kind": "mlp", "hidden": [8], "norm": "batch"},
    },
    "muon": {"optimizer": {"kind": "muon"}, "model": {"kind": "mlp", "hidden": [8, 8]}},
    "full-batch": {"trainer": {"batch_size": "full", "epochs": 60}},
    "numpy": {
        "task": {"kind": "classification-numpy"},
        "model": {"kind": "mlp", "hidden": [8], "dropout": 0.0},
        "optimizer": {"kind": "sgd", "lr": 0.1},
        "schedule": {"kind": "constant"},
    },
    "cnn": {
        "data": {"kind": "digits"},
        "model": {"kind": "cnn", "channels": [4, 6], "kernel": 3, "padding": "same", "norm": "batch"},
        "optimizer": {"kind": "sgd", "lr": 0.05, "momentum": 0.9},
        "trainer": {"epochs": 3, "batch_size": 64},
    },
    "gan": {
        "task": {"kind": "gan", "samples": 2},
        "data": {"kind": "digits", "flip": True},
        "model": {"kind": "dcgan", "latent": 4, "ngf": 2, "ndf": 2},
        "trainer": {"epochs": 2, "batch_size": 64},
    },
    "scratch": {
        "task": {"kind": "regression-scratch"},
        "data": {"kind": "linear-synthetic", "rows": 120},
        "model": {"kind": "linear"},
        "optimizer": {"kind": "sgd", "lr": 0.03},
        "schedule": {"kind": "constant"},
    },
}


@pytest.mark.parametrize("system", SYSTEMS)
async def test_stopped_twice_and_resumed_gives_the_same_bits(tmp_path: Path, system: str) -> None:
    over = SYSTEMS[system] | {"trainer": {"epochs": 20, **SYSTEMS[system].get("trainer", {})}}
    undisturbed, disturbed = make_run(tmp_path / "a", **over), make_run(tmp_path / "b", **over)
    await collect(undisturbed.config(), undisturbed)
    await stop_at(disturbed, 5)
    assert isinstance(recorded(disturbed)[-1], ev.RunStopped), "it ended before it could be stopped"
    await stop_at(disturbed, 11)
    await collect(disturbed.config(), disturbed)
    assert isinstance(recorded(disturbed)[-1], ev.RunFinished)
    assert same_bits(last_weights(undisturbed), last_weights(disturbed))


async def test_stopped_within_an_epoch_pictures_are_turned_as_they_would_have_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.meters.FLUSH_S", 0.0)  # a row is there as soon as its step is taken
    over: dict[str, Any] = {
        "data": {"kind": "digits", "flip": True, "rotate": 15},
        "trainer": {"epochs": 4, "batch_size": 16, "log_every": 1},
    }
    undisturbed, disturbed = make_run(tmp_path / "a", **over), make_run(tmp_path / "b", **over)
    await collect(undisturbed.config(), undisturbed)
    steps_per_epoch, stopped_at = 90, list[int]()
    for step in (5, 200):
        await stop_at(disturbed, step)
        stopped_at.append(load_checkpoint(disturbed.checkpoints / "last").step % steps_per_epoch)
    assert stopped_at == [5, 20]
    await collect(disturbed.config(), disturbed)
    assert isinstance(recorded(disturbed)[-1], ev.RunFinished)
    assert same_bits(last_weights(undisturbed), last_weights(disturbed))


KILLED: dict[str, Any] = {"epochs": 500, "log_every": 8, "eval_every": 10}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """What a run that was killed is compared with."""
    folder = make_run(tmp_path_factory.mktemp("undisturbed"), trainer=KILLED)
    asyncio.run(collect(folder.config(), folder))
    return folder


@pytest.mark.parametrize("after", [b"MetricsLogged", b"CheckpointSaved"])
def test_killed_and_resumed_gives_the_same_bits_and_curve(tmp_path: Path, undisturbed: RunFolder, after: bytes) -> None:
    disturbed = make_run(tmp_path, trainer=KILLED | {"checkpoint_every_s": 0.2})
    kill_after(disturbed, after)
    state = RunState()
    state.apply_all(recorded_so_far(disturbed))
    assert disturbed.holder() is None
    assert state.status(engine_alive=False) in ("died", "starting")
    asyncio.run(collect(disturbed.config(), disturbed))
    assert same_bits(last_weights(undisturbed), last_weights(disturbed))
    assert evaluations(undisturbed) == evaluations(disturbed)


def kill_after(folder: RunFolder, event: bytes) -> None:
    """Train in a process of its own and kill it once it has logged such an event."""
    process = subprocess.Popen([sys.executable, "-m", "engine.host", str(folder.path)], start_new_session=True)
    log = folder.path / "events.jsonl"
    while event not in log.read_bytes():
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def recorded_so_far(folder: RunFolder) -> list[ev.AnyEvent]:
    return folder.read_events().read()


def evaluations(folder: RunFolder) -> tuple[list[int], list[float]]:
    """The curve of evaluations as a viewer sees it: neither gap nor double."""
    state = RunState()
    state.apply_all(recorded(folder))
    series = state.series["val/loss"]
    assert list(series.steps) == sorted(set(series.steps))
    return list(series.steps), list(series.values)


async def test_a_learning_rate_set_before_the_stop_is_kept(tmp_path: Path) -> None:
    folder = make_run(tmp_path, trainer={"epochs": 1_000_000, "log_every": 50})
    events = engine.run(folder.config(), folder.path)
    async for event in events:
        if isinstance(event, ev.MetricsLogged):
            folder.ask(cmd.SetLearningRate(lr=0.002))
            folder.ask(cmd.Stop())
            break
    async for _ in events:
        pass
    resumed = engine.run(folder.config(), folder.path)
    async for event in resumed:
        if isinstance(event, ev.MetricsLogged):
            assert event.lr == pytest.approx(0.002, rel=0.01)
            break
    await resumed.aclose()  # type: ignore[attr-defined]


async def test_a_stop_asked_of_a_dead_engine_does_not_stop_the_next(tmp_path: Path) -> None:
    folder = make_run(tmp_path, trainer={"epochs": 40})
    await stop_at(folder, 4)
    folder.ask(cmd.Stop())
    await collect(config(trainer={"epochs": 40}), folder)
    assert isinstance(recorded(folder)[-1], ev.RunFinished)


async def test_a_damaged_checkpoint_fails_the_run_and_names_it(tmp_path: Path) -> None:
    folder = make_run(tmp_path, trainer={"epochs": 1000})
    await stop_at(folder, 4)
    (folder.checkpoints / "last" / "state.pt").write_bytes(b"no checkpoint")
    events = await collect(folder.config(), folder)
    assert isinstance(events[-1], ev.RunFailed)
    assert "checkpoints/last" in events[-1].error


Change = Callable[[dict[str, Any]], object]


def shorten_moments(state: dict[str, Any]) -> None:
    state["optimizers"]["adam"]["state"][0]["exp_avg"] = torch.zeros(3)


STRANGE: dict[str, tuple[Change, str]] = {
    "another epoch": (lambda state: state.update(epoch=1000), "which can't be with"),
    "an earlier epoch": (lambda state: state.update(step=state["step"] + 50), "which can't be with"),
    "no threads": (lambda state: state.pop("threads"), "KeyError: 'threads'"),
    "a short optimizer": (shorten_moments, "exp_avg of a parameter is not of its shape"),
    "short random numbers": (
        lambda state: state["random"].update(torch=torch.zeros(5, dtype=torch.uint8)),
        "RuntimeError",
    ),
    "odd random numbers": (lambda state: state["random"].update(python=[3, [1, 2], None]), "ValueError"),
    "random numbers of words": (lambda state: state["random"].update(torch="x"), "TypeError"),
    "odd data": (lambda state: state["data"].update(train_rows=torch.zeros(2)), "RuntimeError"),
}


@pytest.mark.parametrize(("change", "said"), STRANGE.values(), ids=STRANGE)
def test_a_strange_state_is_refused_in_a_line(tmp_path: Path, change: Change, said: str) -> None:
    folder = make_run(tmp_path)
    task = build_task(config(), load_data(config().data, 0, tmp_path), torch.device("cpu"))
    for parameter in task.modules["model"].parameters():
        parameter.grad = torch.ones_like(parameter)
    task.optimizers["adam"].step()
    keeper = Keeper(task, folder, lambda: 0)
    keeper.save(Progress(step=13, epoch=2))
    path = folder.checkpoints / "last" / "state.pt"
    state = torch.load(path)
    assert keeper.begin(0.1, 5).step == 13
    change(state)
    torch.save(state, path)
    with pytest.raises(CheckpointError) as caught:
        keeper.begin(0.1, 5)
    assert str(caught.value).startswith(f"checkpoint {path.parent} is ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_checkpoint_of_an_earlier_version_is_gone_on_from(tmp_path: Path) -> None:
    folder = make_run(tmp_path, trainer={"epochs": 40})
    await stop_at(folder, 4)
    path = folder.checkpoints / "last" / "state.pt"
    state = torch.load(path)
    for name in ("due", "log_bytes", "data"):
        del state[name]
    torch.save(state | {"best_value": None, "elapsed_s": 1}, path)
    assert isinstance((await collect(folder.config(), folder))[-1], ev.RunFinished)


async def test_a_link_that_leads_nowhere_does_not_start_the_run_anew(tmp_path: Path) -> None:
    folder = make_run(tmp_path, trainer={"epochs": 1000})
    await stop_at(folder, 4)
    shutil.rmtree((folder.checkpoints / "last").resolve())
    events = await collect(folder.config(), folder)
    assert isinstance(events[-1], ev.RunFailed)
    assert "which is gone" in events[-1].error
    assert "ln -sfn" in events[-1].cure


async def test_early_stopping_that_was_cut_short_stops_at_the_same_step(tmp_path: Path) -> None:
    over = {"optimizer": {"kind": "sgd", "lr": 1e-9}, "trainer": {"epochs": 50, "patience": 3}}
    folder = make_run(tmp_path, **over)
    await collect(folder.config(), folder)
    log = folder.path / "events.jsonl"
    log.write_bytes(b"".join(line for line in log.read_bytes().splitlines(keepends=True) if b"RunFinished" not in line))
    events = await collect(folder.config(), folder)
    assert isinstance(events[-1], ev.RunFinished)
    assert events[-1].step == 4 * 8


async def test_a_schedule_that_starts_at_0_takes_a_step_of_0(tmp_path: Path) -> None:
    over: dict[str, Any] = {"schedule": {"kind": "one-cycle", "start": 0.0}, "optimizer": {"kind": "sgd", "lr": 0.5}}
    folder = make_run(tmp_path, **over)
    rates: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        set_lr = ClassificationTask.set_lr
        patch.setattr(ClassificationTask, "set_lr", lambda task, lr: (rates.append(lr), set_lr(task, lr)))
        await collect(folder.config(), folder)
    assert rates[0] == 0.0


async def test_other_numbers_in_the_same_table_are_told_of(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("x,y\n" + "".join(f"{number},{number % 2}\n" for number in range(100)))
    over: dict[str, Any] = {
        "task": {"kind": "binary-classification"},
        "data": {"kind": "csv", "path": str(table)},
        "model": {"kind": "linear"},
        "trainer": {"epochs": 40},
    }
    told = []
    for edited in (False, True):
        folder = make_run(tmp_path / str(edited), **over)
        await stop_at(folder, 9)
        if edited:
            table.write_text(table.read_text().replace("\n7,1", "\n7,0"))
        assert isinstance((await collect(folder.config(), folder))[-1], ev.RunFinished)
        told += [event.text for event in recorded(folder) if getattr(event, "level", "") == "warning"]
    (line,) = told
    assert line.startswith(f"{table} is not what it was at step ")
    assert "other contents" in line

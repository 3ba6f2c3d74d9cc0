"""A run from beginning to end, without a terminal: what happens, in which order, and what is left on disk."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import engine
from engine import events as ev
from engine.checkpoint import load_checkpoint
from engine.data import load_data
from engine.run_folder import RunFolderError
from engine.run_state import RunState
from tests.engine.helpers import collect, config, make_run, recorded

NOISE = (ev.Heartbeat, ev.FigureDrawn)


def names(events: list[ev.AnyEvent]) -> list[str]:
    """Event names without what depends on time, and neighbours of the same name as one."""
    story = [type(event).__name__ for event in events if not isinstance(event, NOISE)]
    return [name for index, name in enumerate(story) if index == 0 or story[index - 1] != name]


async def test_the_story_of_a_run() -> None:
    events = await collect(config(trainer={"epochs": 2}))
    epoch = ["MetricsLogged", "Evaluated", "EpochEnded"]
    assert names(events) == ["RunStarted", *epoch, *epoch, "CheckpointSaved", "RunFinished"]
    started = next(event for event in events if isinstance(event, ev.RunStarted))
    assert (started.step, started.steps_per_epoch, started.train_rows, started.val_rows) == (0, 8, 120, 24)
    assert (started.metric, started.higher_is_better, started.device) == ("val/accuracy", True, "cpu")
    rows = [event for event in events if isinstance(event, ev.MetricsLogged)]
    assert [row.step for row in rows] == [2, 4, 6, 8, 10, 12, 14, 16]
    assert all(row.steps == 2 for row in rows)
    assert set(rows[0].values) == {"train/loss", "train/accuracy"}
    evaluations = [event for event in events if isinstance(event, ev.Evaluated)]
    assert [(event.epoch, event.step) for event in evaluations] == [(1, 8), (2, 16)]
    assert set(evaluations[0].values) == {"val/loss", "val/accuracy"}


async def test_time_and_steps_never_go_back() -> None:
    # a heartbeat tells the step of its instant, and may be ahead of the rows
    events = [event for event in await collect(config()) if not isinstance(event, ev.Heartbeat)]
    assert [event.step for event in events] == sorted(event.step for event in events)
    rows = [event for event in events if isinstance(event, ev.MetricsLogged)]
    assert [row.elapsed_s for row in rows] == sorted(row.elapsed_s for row in rows)


async def test_the_same_seed_gives_the_same_run_and_another_another() -> None:
    async def losses(seed: int) -> list[object]:
        events = await collect(config(trainer={"seed": seed}))
        return [event.values for event in events if isinstance(event, ev.MetricsLogged | ev.Evaluated)]

    first = await losses(1)
    assert first == await losses(1)
    assert first != await losses(2)


async def test_what_is_yielded_is_what_is_recorded(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    events = await collect(config(), folder)
    assert recorded(folder) == events
    assert folder.holder() is None
    assert not (folder.path / ".reserve").exists()


async def test_a_finished_run_keeps_its_last_and_best_weights(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    state = RunState()
    state.apply_all(await collect(config(), folder))
    assert state.best is not None
    assert state.status(engine_alive=False) == "finished"
    assert load_checkpoint(folder.checkpoints / "last").step == state.step == 48
    best = load_checkpoint(folder.checkpoints / "best")
    assert (best.step, best.state["value"]) == (state.best.step, state.best.value)


async def test_figures_are_drawn_at_both_ends(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    drawn = [event for event in await collect(config(), folder) if isinstance(event, ev.FigureDrawn)]
    assert {event.step for event in drawn} >= {0, 48}
    assert all((folder.path / event.file).is_file() for event in drawn)


async def test_early_stopping_ends_a_run_that_gets_no_better() -> None:
    run = config(optimizer={"kind": "sgd", "lr": 1e-9}, trainer={"epochs": 50, "patience": 3})
    events = await collect(run)
    ending = events[-1]
    assert isinstance(ending, ev.RunFinished)
    assert "no better val/accuracy in 3 evaluations" in ending.reason
    assert ending.step == 4 * 8


async def test_a_loss_that_is_not_finite_fails_the_run_and_says_where(tmp_path: Path) -> None:
    folder = make_run(tmp_path, optimizer={"kind": "sgd", "lr": 100.0}, model={"kind": "mlp", "hidden": [64, 64, 64]})
    events = await collect(folder.config(), folder)
    ending = events[-1]
    assert isinstance(ending, ev.RunFailed)
    assert f"NaN or infinite at step {ending.step + 1}, first in model." in ending.error
    assert ending.cure.startswith(
        "there is no checkpoint yet: begin again with a lower learning rate, as in dltui resume"
    )
    assert any(isinstance(event, ev.MetricsLogged) and event.values["train/loss"] is None for event in events)
    assert not (folder.checkpoints / "last").exists(), "weights that are not finite must not be kept"


async def test_missing_data_fails_with_one_line_and_no_traceback(tmp_path: Path) -> None:
    run = config(
        task={"kind": "binary-classification"}, data={"kind": "csv", "path": "nowhere.csv"}, model={"kind": "linear"}
    )
    events = [event async for event in engine.run(run, data_dir=tmp_path)]
    ending = events[-1]
    assert isinstance(ending, ev.RunFailed)
    assert "nowhere.csv" in ending.error
    assert "\n" not in ending.error
    assert ending.traceback == ""


async def test_a_device_that_is_not_there_is_named() -> None:
    events = await collect(config(trainer={"device": "cuda:99"}))
    ending = events[-1]
    assert isinstance(ending, ev.RunFailed)
    assert "cuda:99" in ending.error


async def test_a_second_engine_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    first = engine.run(config(), folder.path)
    started = await anext(first)
    with pytest.raises(RunFolderError, match="is being trained by pid"):
        await collect(config(), folder)
    rest = [event async for event in first]
    assert isinstance(rest[-1], ev.RunFinished)
    assert recorded(folder) == [started, *rest]


async def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    before = await collect(config(), folder)
    with pytest.raises(RunFolderError, match="is finished"):
        await collect(config(), folder)
    assert recorded(folder) == before


async def test_leaving_early_stops_with_a_checkpoint(tmp_path: Path) -> None:
    folder = make_run(tmp_path, trainer={"epochs": 100_000})
    events = engine.run(folder.config(), folder.path)
    async for event in events:
        if isinstance(event, ev.MetricsLogged):
            break
    await events.aclose()  # type: ignore[attr-defined]
    ending = recorded(folder)[-1]
    assert isinstance(ending, ev.RunStopped)
    assert load_checkpoint(folder.checkpoints / "last").step == ending.step
    assert folder.holder() is None


async def test_a_run_without_a_folder_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    await collect(config(trainer={"epochs": 1}))
    assert list(tmp_path.iterdir()) == []


def test_importing_the_engine_does_not_import_torch(run_python: object) -> None:
    assert callable(run_python)
    assert (
        run_python("import sys, engine, engine.run_state, engine.run_folder; print('torch' in sys.modules)") == "False"
    )


async def test_what_the_engine_logs_while_it_loads_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*arguments: object) -> object:
        logging.getLogger("engine.data.download").info("downloading \x1b[31mfour files")
        return load_data(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("engine.worker.load_data", load)
    events = await collect(config(trainer={"epochs": 1}))
    assert isinstance(events[0], ev.LineLogged)
    assert events[0].text == "downloading \N{REPLACEMENT CHARACTER}[31mfour files"

"""`engine.run` with a folder: it is what code without a screen expects."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import engine
from engine import events as ev
from engine.run_folder import RunFolder, RunFolderError
from tests.engine.helpers import collect, config, make_run, recorded, stop_at


@pytest.mark.parametrize("is_there", [False, True])
async def test_a_folder_that_is_empty_or_not_there_is_made_into_a_run(is_there: bool, tmp_path: Path) -> None:
    path, asked = tmp_path / "a" / "b", config(optimizer={"lr": 0.123})
    if is_there:
        path.mkdir(parents=True)
    events = [event async for event in engine.run(asked, str(path), str(tmp_path / "data"))]
    folder = RunFolder(path)
    assert isinstance(events[-1], ev.RunFinished)
    assert (recorded(folder), folder.config(), folder.data_dir()) == (events, asked, tmp_path / "data")
    assert not [entry.name for entry in path.iterdir() if entry.name.startswith(".new")]


async def test_a_run_that_is_there_goes_on(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    await stop_at(folder, 4)
    await collect(config(title="Called otherwise", display={"log_y": True}), folder)
    _, resumed = [event for event in recorded(folder) if isinstance(event, ev.RunStarted)]
    assert resumed.step >= 4
    assert isinstance(recorded(folder)[-1], ev.RunFinished)


@pytest.mark.parametrize(
    ("over", "named"),
    [
        ({"optimizer": {"lr": 0.2}}, "optimizer.lr is 0.01 there, not 0.2;"),
        ({"optimizer": {"kind": "sgd"}}, "optimizer is adam there, not sgd;"),
        ({"model": {"hidden": [9, 9]}}, "model.hidden is [8] there, not [9, 9];"),
        (
            {"trainer": {"epochs": 7, "seed": 3, "batch_size": 5, "log_every": 9}},
            "trainer.epochs is 6 there, not 7, trainer.batch_size is 16 there, not 5, trainer.seed is 0 there, not 3 "
            "and 1 more;",
        ),
    ],
)
async def test_a_run_that_is_configured_otherwise_is_refused(over: dict[str, Any], named: str, tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    with pytest.raises(RunFolderError, match=re.escape(named)) as refused:
        await collect(config(**over), folder)
    assert "RunFolder(folder).config()" in str(refused.value)
    assert recorded(folder) == []


async def test_data_from_elsewhere_are_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    with pytest.raises(RunFolderError, match=f"data_dir is {folder.data_dir()} there, not {tmp_path / 'other'}; "):
        await anext(engine.run(config(), folder.path, tmp_path / "other"))


async def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunFolderError, match="is not empty, and holds no run: name another folder"):
        await anext(engine.run(config(), tmp_path))
    with pytest.raises(RunFolderError, match=r"thesis\.tex: Not a directory; name another folder"):
        await anext(engine.run(config(), tmp_path / "thesis.tex"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]

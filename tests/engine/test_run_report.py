"""A run in one object for scripts: what was trained stands in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.run_report import report
from engine.run_state import RunState
from engine.schema.fields import SECTIONS
from tests.engine.helpers import config, make_run


def told(tmp_path: Path, text: str) -> dict[str, Any]:
    """What is told of a run whose config.toml is `text`, after a way through JSON."""
    folder = make_run(tmp_path)
    (folder.path / "config.toml").write_text(text)
    there: dict[str, Any] = json.loads(json.dumps(report(folder, RunState(), "died"), allow_nan=False))
    return there


def test_what_was_trained(tmp_path: Path) -> None:
    asked = config(optimizer={"lr": 0.02}, trainer={"seed": 7}, data={"noise": 0.5})
    folder = make_run(tmp_path, optimizer={"lr": 0.02}, trainer={"seed": 7}, data={"noise": 0.5})
    there = report(folder, RunState(), "starting")
    assert there["preset"] == "spiral"
    assert (there["config"]["optimizer"]["lr"], there["config"]["trainer"]["seed"]) == (0.02, 7)
    assert there["config"] == asked.model_dump(mode="json", include=set(SECTIONS))


def test_of_several_runs_each_its_own(tmp_path: Path) -> None:
    folders = [make_run(tmp_path, optimizer={"lr": lr}) for lr in (0.1, 0.2, 0.1)]
    rates = [report(folder, RunState(), "starting")["config"]["optimizer"]["lr"] for folder in folders]
    assert rates == [0.1, 0.2, 0.1]


@pytest.mark.parametrize("text", ["", "[optimizer", "[optimizer]\nlr = 1\nlr = 2\n", "x" * 70_000])
def test_a_configuration_that_cant_be_read(text: str, tmp_path: Path) -> None:
    assert (told(tmp_path, text)["preset"], told(tmp_path, text)["config"]) == ("", None)


def test_a_configuration_that_somebody_else_wrote(tmp_path: Path) -> None:
    deep = "[" * 200 + "]" * 200
    there = told(
        tmp_path, f'preset = 1979-05-27\n[model.args]\ntext = """\n[optimizer]\n"""\nlr = nan\ndeep = {deep}\n'
    )
    assert there["preset"] == "1979-05-27"
    assert list(there["config"]) == ["model"]
    assert there["config"]["model"]["args"]["text"] == "[optimizer]\n"
    assert there["config"]["model"]["args"]["lr"] is None

"""What is read of a run for a glance at it."""

from __future__ import annotations

from pathlib import Path

import pytest

import tui.run_preview as module
from engine.run_folder import RunFolder
from tests.tui.scripts import write_run
from tui.run_preview import preview_of
from tui.widgets.spark import spark


@pytest.mark.usefixtures("few_presets")
def test_a_run_as_its_preset_has_it(runs: Path) -> None:
    preview = preview_of(write_run(runs, "one", "finished", preset="digits-mlp", epoch=30, age_s=60))
    assert preview.preset == "digits-mlp, unchanged"
    assert preview.loss_key == "train/loss"
    assert list(preview.losses) == [2 / epoch for epoch in range(1, 31)]


def test_what_cannot_be_read_is_left_out(runs: Path, few_presets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_run(runs, "one", "finished", preset="digits-mlp", epoch=30, age_s=60)
    (few_presets / "digits-mlp.toml").unlink()
    monkeypatch.setattr(module, "READ_BYTES", 100)
    assert preview_of(folder) == ("", "", ())
    assert preview_of(RunFolder(runs / "gone")) == ("", "", ())


def test_a_curve_of_dots() -> None:
    assert spark([3, 2, 1, 0], 2, 1) == ["⠑⢄"]
    assert spark([0, 1], 2, 1) == ["⣀⠏"]
    assert spark([1, 1, 1], 2, 2) == ["⠀⠀", "⣀⣀"]
    assert spark([1.7e308, 1.7e308, -1.7e308, -1.7e308], 1, 1) == ["⢱"]
    assert spark([1.0], 2, 1) == []
    assert spark([1.0, float("nan"), float("inf")], 2, 1) == []
    assert spark(range(1000), 1, 1) == ["⡸"]

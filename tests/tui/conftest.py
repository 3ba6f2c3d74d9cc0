"""A UI over a folder of scripted runs, with a clock that stands still."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.run_folder import RunFolder, RunLock
from presets import loader
from tests.tui.scripts import NOW, PRESETS, FakeLauncher, write_run
from tui.app import DltuiApp, make_app


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of runs, under a path that is the same in every test run."""
    monkeypatch.chdir(tmp_path)
    return Path("runs")


@pytest.fixture
def few_presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fixed handful of presets in place of the shipped ones, so that pictures stay the same."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    for name, text in PRESETS.items():
        (folder / f"{name}.toml").write_text(text)
    monkeypatch.setattr(loader, "SHIPPED", folder)
    return folder


@pytest.fixture
def scripted_runs(runs: Path, few_presets: Path) -> Iterator[list[RunFolder]]:
    """One run of every state, some of them held as by an engine."""
    folders = [
        write_run(runs, "digits-mlp-3", "running", preset="digits-mlp", epoch=19, age_s=1),
        write_run(runs, "spiral-relu-12", "paused", preset="spiral-relu", epoch=11, age_s=75),
        write_run(runs, "spiral-relu-11", "finished", preset="spiral-relu", epoch=30, age_s=40 * 60),
        write_run(runs, "weight-decay-off-with-a-long-name-2", "stopped", preset="digits-mlp", epoch=7, age_s=3 * 3600),
        write_run(runs, "digits-mlp-2", "failed", preset="digits-mlp", epoch=2, age_s=26 * 3600),
        write_run(runs, "digits-mlp-1", "died", preset="digits-mlp", epoch=12, age_s=3 * 86400),
        write_run(runs, "digits-mlp-4", "starting", preset="digits-mlp", epoch=0, age_s=0),
    ]
    locks = [RunLock(folder) for folder in folders[:2]]
    yield folders
    for lock in locks:
        lock.release()


@pytest.fixture
def launcher() -> FakeLauncher:
    """Stands where engine hosts would be started, and notes what it was asked for."""
    return FakeLauncher()


@pytest.fixture
def app(runs: Path, few_presets: Path, launcher: FakeLauncher) -> DltuiApp:
    """The whole application, over `runs` and `few_presets`, starting no process."""
    return make_app(runs, Path("data"), warm=False, clock=lambda: NOW, launcher=launcher)


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures must not depend on the terminal that tests run in."""
    for name in ("NO_COLOR", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()

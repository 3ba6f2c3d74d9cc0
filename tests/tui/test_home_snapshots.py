"""Pictures of Home, from scripted runs and a fixed handful of presets, with a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tui.scripts import settled
from tui.app import DltuiApp

SIZES = {"small": (80, 24), "large": (140, 45)}
SHOTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "presets": ("small large", ()),
    "runs": ("small large", ("tab", "down", "down", "down", "down", "down")),
    "search": ("small", ("slash", *"spiral")),
    "help": ("small", ("question_mark",)),
    "palette": ("large", ("ctrl+p",)),
    "light": ("large", ("ctrl+t",)),
}


@pytest.fixture
def broken_presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A preset of the user's own, and two files that are none, in a home that looks the same in every test run."""
    folder = tmp_path / "presets"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DLTUI_PRESETS", str(folder))
    folder.mkdir()
    (folder / "mine.toml").write_text('extends = "spiral-relu"\ntitle = "My spiral"\n[optimizer]\nlr = 0.1\n')
    (folder / "torn.toml").write_text('title = "Torn"\n[data\n')
    (folder / "typo.toml").write_text('extends = "spiral-relu"\n[optimizer]\nlearning_rate = 3\n')


@pytest.mark.parametrize(("shot", "size"), [(shot, size) for shot in SHOTS for size in SHOTS[shot][0].split()])
@pytest.mark.usefixtures("scripted_runs")
def test_home(shot: str, size: str, app: DltuiApp, snap_compare: Callable[..., bool]) -> None:
    """Home looks as it did when somebody last looked hard at it."""
    assert snap_compare(app, terminal_size=SIZES[size], run_before=_pressing(*SHOTS[shot][1]))


def test_home_without_runs(app: DltuiApp, snap_compare: Callable[..., bool]) -> None:
    """The first thing anybody sees says what to do."""
    assert snap_compare(app, terminal_size=SIZES["small"], run_before=_pressing())


@pytest.mark.usefixtures("broken_presets")
def test_home_with_broken_presets(app: DltuiApp, snap_compare: Callable[..., bool]) -> None:
    """Files that are no presets are named with what is wrong with them."""
    assert snap_compare(app, terminal_size=SIZES["small"], run_before=_pressing("end"))


def _pressing(*keys: str) -> Callable[[Any], Any]:
    async def prepare(pilot: Any) -> None:
        await settled(pilot, *keys)

    return prepare

"""Pictures of the run screen, from scripted events with a clock that stands still."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.run_folder import RunLock
from tests.tui import run_scenes as scenes
from tests.tui.cnn_scene import cnn
from tests.tui.gan_scene import gan
from tests.tui.run_scenes import Scene, app_on, settled

SIZES = {"small": (80, 24), "large": (140, 45)}


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stamps in the log are local times."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("DLTUI_MARKER", raising=False)
    time.tzset()


SHOTS: dict[str, tuple[Scene, bool, tuple[str, ...]]] = {
    "classifier": (scenes.classifier, True, ()),
    "digits": (scenes.digits_finished, False, ("f",)),
    "mistakes": (scenes.digits_finished, False, ("3", "f")),
    "failed": (scenes.failed, False, ("4",)),
    "died": (scenes.died, False, ("4",)),
    "paused": (scenes.paused, True, ()),
    "light": (scenes.classifier, True, ("ctrl+t",)),
    "zoomed": (scenes.classifier, True, ("l", "]", "]", "]", "x", "z")),
    "regression": (scenes.line, True, ("l",)),
    "features": (cnn, True, ("3",)),
    "features-zoomed": (cnn, True, ("3", "z")),
    "mistakes-in-colour": (cnn, True, ("3", "f")),
    "gan": (gan, True, ()),
    "scrubbed": (gan, True, ("comma", "comma", "comma")),
    "stop": (scenes.classifier, True, ("s",)),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shot", SHOTS)
def test_run_screen(shot: str, size: str, runs: Path, few_presets: Path, snap_compare: Callable[..., bool]) -> None:
    """The screen looks as it did when somebody last looked hard at it."""
    scene, is_alive, keys = SHOTS[shot]
    folder, now = scene(runs)
    lock = RunLock(folder) if is_alive else None

    async def prepare(pilot: Any) -> None:
        await settled(pilot, *keys)

    try:
        assert snap_compare(app_on(folder, now, runs), terminal_size=SIZES[size], run_before=prepare)
    finally:
        if lock is not None:
            lock.release()

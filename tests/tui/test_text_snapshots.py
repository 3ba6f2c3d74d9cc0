"""Pictures of runs on text: the line to ask in, the words that speak, the word that is spelled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine import events as ev
from engine.run_folder import RunFolder, RunLock
from tests.tui import scripted as s
from tests.tui.run_scenes import app_on, settled
from tests.tui.text_scenes import hello, reviews
from tui.screens.run_ask import RunAsk

SIZES = {"small": (80, 24), "large": (140, 45)}


@pytest.fixture(autouse=True)
def _plain_marker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DLTUI_MARKER", raising=False)


async def answered(pilot: Pilot[Any], folder: RunFolder) -> None:
    """Ask, and let the engine answer."""
    screen = await settled(pilot, "a", *"slow but moving", "enter")
    for _ in range(500):
        if asked := folder.read_commands().read():
            break
        await pilot.pause(0.02)
    else:
        pytest.fail("nothing was asked")
    question = asked[-1]
    values = {"negative": 0.136, "positive": 0.864}
    s.write_events(folder, [ev.Answered(step=201, at=s.BEGAN_AT + 12, id=question.id, values=values)])  # type: ignore[union-attr]
    while question.id not in screen.follower.state.answers:  # type: ignore[union-attr]
        await pilot.pause(0.02)
    await settled(pilot)
    # a cursor that blinks is no part of the picture
    screen.query_one(RunAsk).query_one("Input").cursor_blink = False  # type: ignore[attr-defined]
    await settled(pilot)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shot", ["asked", "asked-light", "words", "spelled"])
def test_text_runs(shot: str, size: str, runs: Path, few_presets: Path, snap_compare: Callable[..., bool]) -> None:
    """The screen looks as it did when somebody last looked hard at it."""
    folder, now = (hello if shot == "spelled" else reviews)(runs)
    lock = None if shot == "spelled" else RunLock(folder)

    async def prepare(pilot: Pilot[Any]) -> None:
        await settled(pilot, *(("ctrl+t",) if shot.endswith("light") else ()), "3")
        if shot.startswith("asked"):
            await answered(pilot, folder)

    try:
        assert snap_compare(app_on(folder, now, runs), terminal_size=SIZES[size], run_before=prepare)
    finally:
        if lock is not None:
            lock.release()

"""A run screen that tests press keys on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from textual.pilot import Pilot

from engine import events as ev
from engine.run_folder import RunFolder, RunLock
from tests.tui import scripted as s
from tests.tui.run_scenes import Scene, app_on, seen, settled
from tui.app import DltuiApp
from tui.screens.run import RunScreen

LARGE, SMALL = (140, 45), (80, 24)


class Table:
    """An open run screen, and what a test does with it."""

    def __init__(self, app: DltuiApp, pilot: Pilot[Any], folder: RunFolder) -> None:
        self.app, self.pilot, self.folder = app, pilot, folder

    @property
    def screen(self) -> RunScreen:
        """The run screen."""
        assert isinstance(self.app.screen, RunScreen)
        return self.app.screen

    def text(self) -> str:
        """All that is on screen."""
        return seen(self.app)

    async def press(self, *keys: str) -> str:
        """Press keys; returns the screen after them."""
        await settled(self.pilot, *keys)
        return self.text()

    async def engine_says(self, *events: ev.AnyEvent) -> str:
        """Append events as the engine would; returns the screen once they are on it."""
        s.write_events(self.folder, events)
        version = self.screen.follower.state.version + len(events)
        for _ in range(500):
            if self.screen.follower.state.version >= version:
                break
            await asyncio.sleep(0.02)
        await settled(self.pilot)
        return self.text()

    def asked(self) -> list[str]:
        """Names of the commands in the run folder."""
        return [type(command).__name__ for command in self.folder.read_commands().read()]

    def notes(self) -> list[str]:
        """Notifications so far."""
        return [note.message for note in self.app._notifications]


AnyTable = TypeVar("AnyTable", bound=Table)


@asynccontextmanager
async def open_table(
    kind: type[AnyTable], runs: Path, scene: Scene, alive: bool = True, size: tuple[int, int] = LARGE
) -> AsyncIterator[AnyTable]:
    """The screen of the run that `scene` makes, held as by an engine if it is `alive`."""
    folder, now = scene(runs)
    lock = RunLock(folder) if alive else None
    app = app_on(folder, now, runs)
    try:
        async with app.run_test(size=size) as pilot:
            await settled(pilot)
            yield kind(app, pilot, folder)
    finally:
        if lock is not None:
            lock.release()

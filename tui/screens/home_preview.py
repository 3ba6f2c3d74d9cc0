"""Reads the run that Home describes, once somebody looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from textual.screen import Screen

from engine.run_folder import RunFolder
from engine.run_summary import RunSummary
from tui.run_preview import UNREAD, RunPreview, preview_of

PREVIEW_AFTER_S = 0.1
"""A run is read once the highlight has stayed on it for so long."""


class PreviewDesk:
    """Has the preview of one run at a time.

    Args:
        screen: Whose worker reads it.
        tell: What to do once it is read.
    """

    def __init__(self, screen: Screen[None], tell: Callable[[], None]) -> None:
        self._screen = screen
        self._tell = tell
        self._preview = UNREAD
        self._mark: tuple[Path | None, float] = (None, 0.0)
        """Which run the preview is of, and when that had changed."""

    def preview(self, run: RunSummary) -> RunPreview:
        """What has been read of `run`; it is read anew if it has changed since."""
        mark = (run.path, run.changed_at)
        if mark != self._mark:
            if run.path != self._mark[0]:
                self._preview = UNREAD
            self._mark = mark
            self._screen.run_worker(self._read(RunFolder(run.path)), group="preview", exclusive=True)
        return self._preview

    async def _read(self, folder: RunFolder) -> None:
        await asyncio.sleep(PREVIEW_AFTER_S)
        self._preview = await asyncio.to_thread(preview_of, folder)
        self._tell()

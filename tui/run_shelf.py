"""The runs in a folder, read again only where they changed: made to be asked once a second, in a thread."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from engine.run_folder import RunFolder
from engine.run_state import ENDED
from engine.run_summary import RunSummary, status_of, summarize
from tui.run_index import RunIndex


class Shelf(NamedTuple):
    """What a look at the folder gave."""

    rows: list[RunSummary]
    """Runs that go on, newest first, then the others, most recently changed first."""
    older: int
    """How many more there are."""
    problem: str
    """Why the folder can't be read, empty if it can (or is not there yet)."""


class RunShelf:
    """Remembers what it read of each run for as long as the run's event log stays as it is."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self._index = RunIndex(runs)
        self._known: dict[Path, tuple[tuple[int, int], RunSummary]] = {}
        self._going: list[str] = []

    def read(self, limit: int, words: Sequence[str] = ()) -> Shelf:
        """The `limit` newest runs whose names have all of `words` in them."""
        self._index.look()
        self._index.refresh(self._going)
        names = [name for name in self._index.newest() if all(word in name.casefold() for word in words)]
        rows = [row for name in names[:limit] if (row := self._row(RunFolder(self.runs / name))) is not None]
        self._known = {row.path: self._known[row.path] for row in rows}
        going = sorted((row for row in rows if row.status not in ENDED), key=_made_at, reverse=True)
        self._going = [row.name for row in going]
        ended = [row for row in rows if row.status in ENDED]
        return Shelf([*going, *ended], max(0, len(names) - limit), self._index.problem)

    def _row(self, folder: RunFolder) -> RunSummary | None:
        """The run's summary, None if the folder has gone meanwhile."""
        try:
            stat = os.stat(folder.path / "events.jsonl")
            mark = (stat.st_mtime_ns, stat.st_size)
            known = self._known.get(folder.path)
            if known is None or known[0] != mark:
                row = summarize(folder)
            elif known[1].status in ENDED:
                return known[1]
            else:  # an engine may have died without a word
                row = dataclasses.replace(known[1], status=status_of(folder, known[1].state))
        except OSError:
            return None
        self._known[folder.path] = (mark, row)
        return row


def _made_at(row: RunSummary) -> float:
    return row.state.started.at if row.state.started else row.changed_at

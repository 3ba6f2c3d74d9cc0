"""Follows a run while it goes on: reads what has been appended, and folds it, without holding up the screen."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from engine import events as ev
from engine.lock_entry import engine_name
from engine.own_file import read_own
from engine.rows import HistoryItem, Rows
from engine.run_folder import RunFolder, RunFolderError
from engine.run_log import CHUNK_BYTES, Damage
from engine.run_state import ENDED, RunState, Status
from engine.run_summary import STARTING_S, status_of
from engine.text import plain, plain_lines

if TYPE_CHECKING:
    from engine.schema import RunConfig

STATUS_EVERY_S = 1.0
SLICE_S = 0.004
"""Folding goes on for so long before the screen gets its turn."""
CONSOLE_BYTES = 6000
CLOSING_S = 5.0
"""An engine that has said how the run ended may hold it for so long while it tidies up."""

_QUIET = (Rows, ev.MetricsLogged, ev.Heartbeat, ev.Evaluated, ev.EpochEnded, ev.FigureDrawn)
"""Events that don't change how a run stands."""


class _Read(NamedTuple):
    items: list[HistoryItem]
    is_new_file: bool
    share: float
    """Of the file that has been read."""


class RunFollower:
    """What is known of one run, kept up to date by `poll`.

    Args:
        folder: The run.
        clock: Seconds since the epoch.
    """

    def __init__(self, folder: RunFolder, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self.config: RunConfig | None = None
        self.config_problem = ""
        """Why there is no configuration, empty if there is one."""
        self.state = RunState()
        self.status: Status = "starting"
        self.lost = ""
        """Why the run can't be read any more, empty if it can."""
        self.read_share = 0.0
        """How much of the log has been read."""
        self.is_caught_up = False
        self.has_no_engine = False
        """Whether it is known that the process which was to train it has gone."""
        self._resumed_at = 0.0
        """When an engine was started here to go on with it, 0 if none was."""
        self.console: tuple[str, ...] = ()
        """The last lines that the engine's process printed, for a run that died or never started."""
        self.rejections: list[ev.CommandRejected] = []
        """Refusals nobody has been told of yet; whoever tells, clears."""
        self._clock = clock
        self._reader = folder.read_history()
        self._seen: tuple[int, int, int, int] | None = None
        self._status_due_s = 0.0
        self._elapsed_seen_at = 0.0

    @property
    def damages(self) -> list[Damage]:
        """Lines of the log that could not be understood."""
        return self._reader.damages

    @property
    def elapsed_s(self) -> float:
        """Training time, going on between events."""
        goes_on = self.status == "running" and self._elapsed_seen_at
        since_s = self._clock() - self._elapsed_seen_at if goes_on else 0.0
        return self.state.elapsed_s + min(max(0.0, since_s), 60.0)

    @property
    def is_resuming(self) -> bool:
        """Whether an engine is about to go on with what another left."""
        has_begun = self.state.started is not None or self.state.ending is not None
        return self.is_caught_up and self.status == "starting" and has_begun

    @property
    def silent_s(self) -> float:
        """How long a run that goes on has said nothing."""
        if self.status not in ("running", "paused") or not self.state.seen_at:
            return 0.0
        return max(0.0, self._clock() - self.state.seen_at)

    def expect_engine(self, resumed_at: float) -> None:
        """Know that an engine was started to go on with the run, before it can say so itself."""
        if resumed_at != self._resumed_at:
            self._resumed_at = resumed_at
            if self.is_caught_up and self.status in ENDED and self._is_awaited():
                self.status = "starting"

    async def open(self) -> None:
        """Read the configuration."""
        try:
            self.config = await asyncio.to_thread(self.folder.config)
        except RunFolderError as error:
            self.config_problem = str(error)

    async def poll(self) -> None:
        """Take in what is new, one chunk of the log at most."""
        try:
            read = await asyncio.to_thread(self._read)
            if read.is_new_file:
                self.state = RunState()
                self.is_caught_up = False
            await self._fold(read.items)
            self.read_share = read.share
            if not self.is_caught_up and read.share >= 1:
                self.is_caught_up, self._status_due_s = True, 0.0
                self.rejections.clear()
            if self.is_caught_up and time.monotonic() >= self._status_due_s:
                self._status_due_s = time.monotonic() + STATUS_EVERY_S
                self.status, self.console = await asyncio.to_thread(self._look)
            self.lost = ""
        except OSError as error:
            name = plain(str(self.folder.path))
            is_gone = isinstance(error, FileNotFoundError)
            self.lost = (
                f"{name} is gone: moved or deleted"
                if is_gone
                else f"{name} can't be read: {plain(str(error.strerror))}"
            )

    async def _fold(self, items: list[HistoryItem]) -> None:
        elapsed_s, turn_ends_s = self.state.elapsed_s, time.monotonic() + SLICE_S
        for item in items:
            if time.monotonic() > turn_ends_s:
                await asyncio.sleep(0)
                turn_ends_s = time.monotonic() + SLICE_S
            self.state.apply(item)
            if isinstance(item, ev.RunStarted):
                elapsed_s, self._elapsed_seen_at = self.state.elapsed_s, 0.0  # its time begins with its first row
            if not isinstance(item, _QUIET):
                self._status_due_s = 0.0
                if isinstance(item, ev.CommandRejected):
                    self.rejections.append(item)
        if self.state.elapsed_s != elapsed_s:
            self._elapsed_seen_at = self._clock()

    # -- in a thread: a disk may take its time -------------------------------------------------------------------

    def _read(self) -> _Read:
        stat = os.stat(self._reader.path)
        seen = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
        is_new_file = self._seen is not None and (seen[:2] != self._seen[:2] or stat.st_size < self._reader.offset)
        if is_new_file:
            self._reader = self.folder.read_history()
        elif seen == self._seen:
            return _Read([], False, self.read_share)
        before = self._reader.offset
        items = self._reader.read()
        after = self._reader.offset
        is_whole_chunk = after - before > CHUNK_BYTES // 2
        if not is_whole_chunk:
            self._seen = seen
        elif self._seen is None or is_new_file:
            self._seen = (*seen[:2], -1, -1)
        share = after / stat.st_size if is_whole_chunk and after < stat.st_size else 1.0
        return _Read(items, is_new_file, share)

    def _look(self) -> tuple[Status, tuple[str, ...]]:
        status = status_of(self.folder, self.state, self._clock())
        ending = self.state.ending
        if ending is not None and status == "starting" and self._clock() - ending.at < CLOSING_S:
            status = self.state.status(engine_alive=False)
        if self._is_held_anew() if status in ("running", "paused") else status in ENDED and self._is_awaited():
            status = "starting"
        elif status == "starting" and self.has_no_engine:
            status = "died"
        wants_console = status == "died" or (status == "failed" and not self.state.started)
        return status, self._console_tail() if wants_console else ()

    def _is_held_anew(self) -> bool:
        """Whether another engine holds the run than the one that spoke last: it has yet to say that it resumes."""
        last, holder = self.state.started, self.folder.holder()
        if last is None or holder is None or not holder.endswith(f" on {plain(last.host)}"):
            return False
        return holder != engine_name(last.pid, last.host)

    def _is_awaited(self) -> bool:
        """Whether an engine was started here that has said nothing yet: it holds the run only with torch imported."""
        told = (event.at for event in (self.state.started, self.state.ending) if event is not None)
        waited_s = self._clock() - self._resumed_at
        return max(told, default=0.0) < self._resumed_at and waited_s <= STARTING_S and not self.has_no_engine

    def _console_tail(self) -> tuple[str, ...]:
        try:
            with read_own(self.folder.path / "console.log") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - CONSOLE_BYTES))
                text = file.read(CONSOLE_BYTES).decode("utf-8", "replace")
        except OSError:
            return ()
        return tuple(line for line in plain_lines(text).splitlines() if line.strip())[-40:]

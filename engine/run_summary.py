"""How a run stands, read from the two ends of its event log: lists stay fast however long the runs are."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from engine import events as ev
from engine.own_file import read_own
from engine.rows import HistoryItem, history_of
from engine.run_folder import RunFolder
from engine.run_state import RunState, Status

TAIL_BYTES, LONG_TAIL_BYTES = 32 << 10, 512 << 10
"""The longer one, of which few rows are taken, where so many are logged that there is no heartbeat in the other."""
HEAD_BYTES = 64 << 10
ROWS_TAKEN = 32
"""Lines of rows in either end of a log: enough for the latest values and the speed, a tenth of the work of all."""
STARTING_S = 60.0
"""A run whose engine has said nothing is starting for so long, and has died after."""

_ROWS, _HEARTBEAT = (b'{"event":"MetricsLogged"', b'{"event":"RowsLogged"'), b'{"event":"Heartbeat"'
"""How the engine begins such lines; one that somebody else wrote otherwise is only read more slowly."""


@dataclass(frozen=True)
class RunSummary:
    """One line of the list of runs."""

    name: str
    path: Path
    status: Status
    state: RunState
    """Folded from the ends of the log only: its series have gaps."""
    changed_at: float
    """When the engine last wrote, in seconds since the epoch."""


def summarize(folder: RunFolder) -> RunSummary:
    """The summary of a run; a damaged or empty log gives what can be read.

    Raises:
        OSError: the folder has gone.
    """
    with read_own(folder.path / "events.jsonl") as file:
        stat = os.fstat(file.fileno())
        size, changed_at = stat.st_size, stat.st_mtime
        head = file.read(min(size, HEAD_BYTES))
        tail, rows_taken = _tail(file, size) if size > HEAD_BYTES else (b"", 0)
    state = RunState()
    state.apply_all(_events(head, ROWS_TAKEN))
    if tail:
        _apply_tail(state, _events(tail, rows_taken))
    return RunSummary(folder.name, folder.path, status_of(folder, state), state, changed_at)


def _tail(file: BinaryIO, size: int) -> tuple[bytes, int]:
    """The log's last whole lines, and how many lines of rows are to be taken among them."""

    def last(length: int) -> bytes:
        file.seek(max(HEAD_BYTES, size - length))
        return file.read(length).partition(b"\n")[2]

    tail = last(TAIL_BYTES)
    return (tail, ROWS_TAKEN) if _HEARTBEAT in tail else (last(LONG_TAIL_BYTES), 0)


def _apply_tail(state: RunState, events: list[HistoryItem]) -> None:
    """Fold the log's end over its beginning. What the run came to stands in its end; that it was stopped and resumed,
    or paused, may stand between the two."""
    state.ending, state.paused = None, False
    told = any(isinstance(event, (ev.RunPaused, ev.RunContinued, ev.RunStarted)) for event in events)
    beat = next((event for event in reversed(events) if isinstance(event, ev.Heartbeat)), None)
    if beat is not None:
        state.recall(beat)
    state.apply_all(events)
    if beat is not None and not told:
        state.paused = beat.paused


def status_of(folder: RunFolder, state: RunState, now: float | None = None) -> Status:
    """How a run stands: its last event, and whether an engine holds it."""
    is_held = folder.holder() is not None
    status = state.status(is_held)
    if status == "starting" and not is_held:
        made_at = os.stat(folder.path / "config.toml").st_mtime
        # a run made in the future was made before the clock was set back: it must not be starting until then
        return "died" if abs((now or time.time()) - made_at) > STARTING_S else "starting"
    return status


def _events(data: bytes, rows_taken: int) -> list[HistoryItem]:
    """What happened, by the lines in `data`; of lines of rows about so many and the last two."""
    events, lines = list[HistoryItem](), data.splitlines()
    rows = [index for index, line in enumerate(lines) if line.startswith(_ROWS)]
    passed_over = set(rows[:-2])  # the last may be half written
    if rows_taken:
        passed_over.difference_update(rows[:: 1 + len(rows) // rows_taken])
    for index, line in enumerate(lines):
        if index in passed_over:
            continue
        try:
            events.append(history_of(line))
        except (msgspec.DecodeError, ValueError, RecursionError):
            continue
    return events

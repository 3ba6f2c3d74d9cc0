"""Another run to compare with: the latest one of a preset."""

from __future__ import annotations

from dataclasses import dataclass

from engine.run_folder import RunFolder, RunFolderError, iter_runs
from engine.run_state import RunState

LOOK_AT = 500
"""Runs whose configuration is read at most; the most recent ones."""


@dataclass(frozen=True, eq=False)
class Overlay:
    """A run to be drawn behind, or why there is none."""

    name: str = ""
    state: RunState | None = None
    problem: str = ""


def find_overlay(folder: RunFolder, preset: str) -> Overlay:
    """The latest run of `preset` beside `folder`, other than that itself. Reads files: not for the event loop."""
    for number, other in enumerate(iter_runs(folder.path.parent)):
        if number >= LOOK_AT:
            break
        if other.path == folder.path:
            continue
        try:
            if other.config().preset != preset:
                continue
            state = _read(other)
        except (RunFolderError, OSError):
            continue
        if state.series:
            return Overlay(other.name, state)
    return Overlay(problem=f"no other run of {preset} to overlay" if preset else "no run to overlay")


def _read(folder: RunFolder) -> RunState:
    state, reader = RunState(), folder.read_history()
    while True:
        before = reader.offset
        state.apply_all(reader.read())
        if reader.offset == before:
            return state

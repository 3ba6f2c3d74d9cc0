"""A run in one JSON-able object, for `--json`."""

from __future__ import annotations

from typing import Any

from engine.run_folder import RunFolder
from engine.run_state import RunState, Status


def report(folder: RunFolder, state: RunState, status: Status) -> dict[str, Any]:
    """What a script wants to know of a run: the same object for `train --json` and `show --json`.

    `metrics` holds the last value of each metric, null where it was not finite. `steps_per_s` is the mean over the
    whole run. `error` and `cure` are there only if the run failed.
    """
    summary: dict[str, Any] = {
        "run": folder.name,
        "dir": str(folder.path),
        "state": status,
        "epochs": int(state.epoch),
        "steps": state.step,
        "steps_per_s": round(state.step / state.elapsed_s, 2) if state.elapsed_s else 0.0,
        "elapsed_s": round(state.elapsed_s, 3),
        "metrics": dict(state.latest),
        "best": state.best._asdict() if state.best else None,
    }
    if status == "failed":
        summary["error"] = getattr(state.ending, "error", "")
        summary["cure"] = getattr(state.ending, "cure", "")
    return summary

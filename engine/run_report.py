"""A run in one JSON-able object, for `--json`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from engine.own_file import read_own
from engine.run_folder import RunFolder
from engine.run_state import RunState, Status
from engine.toml_text import DEPTH_LIMIT, LIMIT_BYTES, TomlError, parse_toml

_SECTION = re.compile(rb"^(?=\[(?:task|data|model|optimizer|schedule|trainer|display)\]$)", re.MULTILINE)


def report(folder: RunFolder, state: RunState, status: Status) -> dict[str, Any]:
    """What a script wants to know of a run: the same object for `train --json` and `show --json`.

    `metrics` holds the last value of each metric, null where it was not finite. `steps_per_s` is the mean over the
    whole run. `config` holds the sections of its config.toml, as they stand there; null if that can't be read. `error`
    and `cure` are there only if the run failed.
    """
    tree = _tree(folder)
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
        "preset": _for_json(tree.get("preset", "")),
        "config": {key: _for_json(value) for key, value in tree.items() if isinstance(value, Mapping)} or None,
    }
    if status == "failed":
        summary["error"] = getattr(state.ending, "error", "")
        summary["cure"] = getattr(state.ending, "cure", "")
    return summary


def _tree(folder: RunFolder) -> dict[str, Any]:
    """What stands in config.toml, not validated; empty if that can't be read.

    Section by section, since those of many runs are alike, and parsing takes far longer than all else in a list.
    """
    try:
        with read_own(folder.path / "config.toml") as file:
            text = file.read(LIMIT_BYTES + 1)
        several_lines = b'"""' in text or b"'''" in text or len(text) > LIMIT_BYTES
        parts = [text] if several_lines else _SECTION.split(text)
        return {key: value for part in parts for key, value in _parsed(part).items()}
    except (OSError, TomlError):
        return {}


@lru_cache(maxsize=256)
def _parsed(text: bytes) -> dict[str, Any]:
    return parse_toml(text)


def _for_json(value: Any, depth: int = 0) -> Any:
    """`value` with null for what is not finite or too deep, and text for dates: no configuration has any of these."""
    match value:
        case Mapping() | list() if depth > DEPTH_LIMIT:
            return None
        case Mapping():
            return {key: _for_json(item, depth + 1) for key, item in value.items()}
        case list():
            return [_for_json(item, depth + 1) for item in value]
        case float() if not math.isfinite(value):
            return None
        case str() | int() | float():
            return value
        case _:
            return str(value)

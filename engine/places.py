"""Folders dltui uses, and what moves them."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def runs_dir() -> Path:
    """Where runs are kept: `DLTUI_RUNS`, else below the platform's data folder."""
    return _from_environment("DLTUI_RUNS") or platformdirs.user_data_path("dltui") / "runs"


def data_dir() -> Path:
    """Where data sets lie: `DLTUI_DATA`, else below the platform's data folder."""
    return _from_environment("DLTUI_DATA") or platformdirs.user_data_path("dltui") / "data"


def user_presets_dir() -> Path:
    """Where a user's own presets are kept: `DLTUI_PRESETS`, else below the platform's configuration folder."""
    return _from_environment("DLTUI_PRESETS") or platformdirs.user_config_path("dltui") / "presets"


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name)
    return expanded(value).absolute() if value else None


def expanded(path: str) -> Path:
    """`path` with its ~ resolved; one that names nobody's home is taken as it stands."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)

"""Folders dltui uses, and what moves them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import platformdirs

from engine.text import plain


def runs_dir() -> Path:
    """Where runs are kept: `DLTUI_RUNS`, else below the platform's data folder."""
    return _from_environment("DLTUI_RUNS") or platformdirs.user_data_path("dltui") / "runs"


def data_dir() -> Path:
    """Where data sets lie: `DLTUI_DATA`, else below the platform's data folder."""
    return _from_environment("DLTUI_DATA") or platformdirs.user_data_path("dltui") / "data"


def user_presets_dir() -> Path:
    """Where a user's own presets are kept: `DLTUI_PRESETS`, else below the platform's configuration folder."""
    return _from_environment("DLTUI_PRESETS") or platformdirs.user_config_path("dltui") / "presets"


def found_here(field: str, named: str, data_dir: Path) -> str:
    """What to write into `field`, dotted, where the relative path `named` leads nowhere from the data folder, but
    somewhere from the current one; empty where it doesn't."""
    with suppress(OSError, ValueError):
        here = Path(named).resolve()
        if named and here.exists() and not (data_dir / expanded(named)).exists():
            return f"relative paths start at the data folder; the one here is --{field} {plain(str(here))}"
    return ""


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name)
    return expanded(value).absolute() if value else None


def expanded(path: str) -> Path:
    """`path` with its ~ resolved; one that names nobody's home is taken as it stands."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)

"""What the UI remembers from one time to the next: the theme."""

from __future__ import annotations

import os
import tempfile
import tomllib
from contextlib import suppress
from pathlib import Path

import platformdirs

from tui.themes import DARK, THEMES


def settings_path() -> Path:
    """The file of settings, in the platform's configuration folder."""
    return platformdirs.user_config_path("dltui") / "ui.toml"


def load_theme() -> str:
    """Name of the theme chosen last; the dark one if none was, or the file can't be read."""
    try:
        theme = tomllib.loads(settings_path().read_text("utf-8")).get("theme")
    except (OSError, ValueError, RecursionError):
        return DARK.name
    return theme if theme in [known.name for known in THEMES] else DARK.name


def save_theme(theme: str) -> None:
    """Remember `theme`; a folder that can't be written costs only the memory."""
    path = settings_path()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        fd, draft = tempfile.mkstemp(prefix=".ui-", dir=path.parent)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write(f'theme = "{theme}"\n')
            os.replace(draft, path)
        except OSError:
            os.unlink(draft)
            raise

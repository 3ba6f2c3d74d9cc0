"""Paths as people write them."""

from __future__ import annotations

import os
from pathlib import Path

from engine.text import plain


def shown(text: str | Path) -> str:
    """A path, or a message with paths in it, on one line and with `~` for the home folder."""
    home = os.path.expanduser("~")
    return plain(str(text).replace(f"{home}{os.sep}", f"~{os.sep}")) if len(home) > 1 else plain(str(text))

"""What is left to do about an engine that does not stop when asked to: code in it may never come back."""

from __future__ import annotations

import re

from engine.run_folder import RunFolder


def last_resort(folder: RunFolder) -> str:
    """How a person ends the engine that holds a run, and what that costs; empty if nobody knows who holds it."""
    holder = re.fullmatch(r"pid (\d+) on (.+)", folder.holder() or "")
    return f"if it never does, end it on {holder[2]}: kill -9 {holder[1]} (the last checkpoint stays)" if holder else ""

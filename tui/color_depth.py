"""How many colours a terminal has."""

from __future__ import annotations

from typing import Literal

Depth = Literal["truecolor", "256", "standard"]


def depth_of(color_system: str | None) -> Depth:
    """From what Rich calls it; where Rich finds none, Textual writes all of them."""
    if color_system in ("standard", "windows"):
        return "standard"
    return "256" if color_system == "256" else "truecolor"

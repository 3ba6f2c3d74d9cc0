"""The list of all commands."""

from __future__ import annotations

from textual.command import CommandPalette

from tui.screens.painted_once import PaintedOnce
from tui.widgets.dimmed import Dimmed


class PaintedPalette(Dimmed, PaintedOnce, CommandPalette):
    """Textual's own, in half of its paintings."""

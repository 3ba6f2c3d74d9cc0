"""A window over another screen, which stays in sight behind it, dimmed."""

from __future__ import annotations

from typing import TypeVar

from textual.screen import ModalScreen

from tui.screens.painted_once import PaintedOnce
from tui.widgets.dimmed import Dimmed

Result = TypeVar("Result")


class Dialog(Dimmed, PaintedOnce, ModalScreen[Result]):
    """Takes all keys until it is dismissed."""

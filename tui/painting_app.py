"""An app whose screens are painted when a key has taken effect, and then at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from tui.key_order import KeysInOrder

if TYPE_CHECKING:
    from textual.await_remove import AwaitRemove
    from textual.dom import DOMNode
    from textual.widget import Widget


class PaintingApp(KeysInOrder):
    """Tells its screens, which are `PaintedOnce`, when to paint."""

    wants_picture = False
    """Whether a key has taken effect and is to be seen now, not at the next sixtieth of a second."""

    def keys_have_settled(self) -> None:
        """Have the screen painted."""
        self.wants_picture = True
        self.screen.check_idle()

    def action_command_palette(self) -> None:
        """Open Textual's list of commands."""
        from tui.screens.command_palette import PaintedPalette

        if self.use_command_palette and not isinstance(self.screen, PaintedPalette):
            self.push_screen(PaintedPalette(id="--command-palette"))

    @property
    def _background_screens(self) -> list[Screen[Any]]:
        """Textual has a screen painted whenever something changes on one below it, also if nothing shows through."""
        stack = self._screen_stack
        return [] if stack and stack[-1].styles.background.a == 1 else super()._background_screens

    def _prune(self, *nodes: Widget, parent: DOMNode | None = None) -> AwaitRemove:
        """A screen that goes leaves the others as they were: they need no layout."""
        return super()._prune(*nodes, parent=None if parent is self else parent)

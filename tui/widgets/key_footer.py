"""A footer that is made anew only when other keys are to be shown."""

from __future__ import annotations

from textual.screen import Screen
from textual.widgets import Footer

Shown = list[tuple[str, str, bool]]


class KeyFooter(Footer):
    """Textual's footer remounts all its keys whenever the focus moves: tens of milliseconds for the same picture."""

    def __init__(self, compact: bool = False) -> None:
        super().__init__(show_command_palette=not compact, compact=compact)
        self._shown: Shown | None = None

    def bindings_changed(self, screen: Screen[object]) -> None:
        """Remount if keys, names or what is possible have changed."""
        shown = _shown(screen) if screen is self.screen and screen.app.app_focus else None
        if shown is None or shown != self._shown:
            self._shown = shown
            super().bindings_changed(screen)


def _shown(screen: Screen[object]) -> Shown:
    bindings = screen.active_bindings.values()
    return [(binding.key, binding.description, enabled) for _, binding, enabled, _ in bindings if binding.show]

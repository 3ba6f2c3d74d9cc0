"""One widget of ours, alone on a screen."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widget import Widget

from tui.themes import THEMES


class Stage(App[None]):
    """Shows one widget."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name

    def compose(self) -> ComposeResult:
        """The widget."""
        yield self.widget

    def lines(self) -> list[str]:
        """The screen as text."""
        return [strip.text for strip in self.screen._compositor.render_strips()]

    def text(self) -> str:
        """The same in one piece."""
        return "\n".join(self.lines())

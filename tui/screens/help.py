"""Every key of a place, taken from its bindings."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen

from tui.widgets.dialog import Dialog
from tui.widgets.lines import Fact, Lines
from tui.widgets.window import Window, WindowLines

KEY_CELLS = len("shift+tab")
LABEL_CELLS = KEY_CELLS + 2 + len("Earlier picture ")


class HelpScreen(Dialog[None]):
    """Lists the keys of the screen `place`, with what they do."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "dismiss", "Close", id="help.close", tooltip="Back to where you were"),
    ]

    def __init__(self, place: Screen[Any]) -> None:
        super().__init__()
        self._place = place

    def compose(self) -> ComposeResult:
        """One line per action."""
        with Window() as dialog:
            dialog.border_title = Content("Keys")
            dialog.border_subtitle = Content("Esc closes")
            yield WindowLines(self._keys(), id="keys")

    def _keys(self) -> Lines:
        keys: dict[tuple[str, str], list[str]] = {}
        for _, binding, _, tooltip in self._place.active_bindings.values():
            if tooltip:
                shown = keys.setdefault((binding.description, tooltip), [])
                display = self.app.get_key_display(binding)
                if display not in shown:
                    shown.append(display)
        facts = [
            Fact(Content.assemble((f"{' '.join(shown):>{KEY_CELLS}}", "bold $accent"), f"  {name}"), text)
            for (name, text), shown in keys.items()
        ]
        return Lines(facts, LABEL_CELLS)

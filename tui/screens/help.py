"""Every key of a place, taken from its bindings."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
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
        """One line per action, or for several that do the same."""
        with Window() as dialog:
            dialog.border_title = Content("Keys")
            dialog.border_subtitle = Content("Esc closes")
            yield WindowLines(self._keys(), id="keys")

    def _in_order(self) -> list[ActiveBinding]:
        """Those of the focused widget, those of the place in its own order, those of the application."""
        actions = [binding.action for binding in self._place.BINDINGS if isinstance(binding, Binding)]

        def rank(active: ActiveBinding) -> int:
            if active.node is self._place and active.binding.action in actions:
                return actions.index(active.binding.action)
            return len(actions) if active.node in (self._place, self.app) else -1

        return sorted(self._place.active_bindings.values(), key=rank)

    def _keys(self) -> Lines:
        rows: dict[tuple[str, str], list[str]] = {}
        bindings = [(binding, tooltip) for _, binding, _, tooltip in self._in_order() if tooltip]
        for binding, tooltip in bindings:
            alike = {other.description for other, text in bindings if (other.group, text) == (binding.group, tooltip)}
            name = binding.group.description if binding.group and len(alike) > 1 else binding.description
            shown = rows.setdefault((name, tooltip), [])
            display = self.app.get_key_display(binding)
            if display not in shown:
                shown.append(display)
        facts = [
            Fact(Content.assemble((f"{' '.join(shown):>{KEY_CELLS}}", "bold $accent"), f"  {name}"), text)
            for (name, text), shown in rows.items()
        ]
        return Lines(facts, LABEL_CELLS)

"""A line to type a field's name in, to go there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from tui.widgets.form_field import FormField

NAMED = 3
"""Fields that are named beside the line."""


class FindLine(Horizontal):
    """Hidden until `begin`.

    Args:
        fields: What the form has at the moment.
    """

    @dataclass
    class Found(Message):
        """A person wants to go to `field`, or back to where they were if it is None."""

        field: FormField | None

    def __init__(self, fields: Callable[[], Iterable[FormField]]) -> None:
        super().__init__(id="search-line")
        self._fields = fields

    def compose(self) -> ComposeResult:
        """A slash, what is typed, and where it leads."""
        yield Static("/ ")
        yield Input(placeholder="name of a field", id="search", compact=True)
        yield Static(id="found", markup=False)

    def begin(self) -> None:
        """Be there, empty."""
        self.display = True
        self.query_one(Input).value = ""
        self.screen.set_focus(self.query_one(Input))

    @on(Input.Changed)
    def _name_found(self, event: Input.Changed) -> None:
        event.stop()
        names = [field.spec.path for field in self._matching(event.value)]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        words = ", ".join(names[:NAMED]) + more if names else "no field is called so"
        self.query_one("#found", Static).update(f"⏎ {words}" if names else words)

    @on(Input.Submitted)
    def _go(self, event: Input.Submitted) -> None:
        event.stop()
        matching = self._matching(event.value)
        if matching or not event.value.strip():
            self.post_message(self.Found(matching[0] if matching else None))

    def _matching(self, text: str) -> Sequence[FormField]:
        """Fields with all words of `text` in their paths; first those whose names are, or begin with, the last."""
        words = text.casefold().replace(".", " ").split()
        if not words:
            return []
        found = [field for field in self._fields() if all(word in field.spec.path for word in words)]
        return sorted(found, key=lambda field: (_name(field) != words[-1], not _name(field).startswith(words[-1])))


def _name(field: FormField) -> str:
    """What stands before it in the form: that of a kind is its section's."""
    return field.spec.section if field.spec.name == "kind" else field.spec.name

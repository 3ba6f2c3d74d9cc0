"""One field of the form: its name, what one types or chooses, and what is wrong with it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.validation import ValidationResult
from textual.widget import Widget
from textual.widgets import Input

from engine.schema.fields import FieldSpec
from engine.text import plain
from tui.widgets.form_choice import SWITCH, Choice

LABEL_CELLS = 21
CHANGED = "●"
WRONG = "✗"


class FieldInput(Input):
    """An Input of one line that leaves validation to the form, and so need not be styled again by its outcome."""

    def validate(self, value: str) -> ValidationResult | None:
        """Nothing to say here."""
        return None


class FormField(Widget):
    """Draws label, unit and message itself, so that a field costs two widgets and not six."""

    @dataclass
    class Edited(Message):
        """A person typed or chose something."""

        field: FormField
        text: str

    problem = reactive("", layout=True)
    """Why the value can't be taken, empty if it can."""
    was: reactive[str | None] = reactive(None)
    """The preset's value if this one differs from it."""

    def __init__(self, spec: FieldSpec, text: str) -> None:
        """
        Args:
            spec: What the field is.
            text: The value, as one would type it.
        """
        super().__init__()
        self.spec = spec
        self.editor = _editor(spec, text)
        self._told = text

    def compose(self) -> ComposeResult:
        """The editor; all else is drawn."""
        yield self.editor

    @property
    def text(self) -> str:
        """What stands in the editor."""
        return self.editor.value

    def set_text(self, text: str) -> None:
        """Put `text` into the editor, without telling anybody."""
        self._told = text
        self.editor.value = text
        if isinstance(self.editor, Input):
            self.editor.action_end()

    def render(self) -> Content:
        """Mark, name, unit; the message below it."""
        mark = (f"{WRONG} ", "$error") if self.problem else ("  " if self.was is None else f"{CHANGED} ", "$accent")
        is_kind = self.spec.name == "kind"
        name = self.spec.section if is_kind else self.spec.name
        style = "bold $primary" if self.has_focus_within else "bold $accent" if is_kind else ""
        unit = "" if name.endswith(f"_{self.spec.unit}") else self.spec.unit
        room = LABEL_CELLS - 3 - len(name)
        line = Content.assemble(mark, (name, style), (f"{unit:>{room}} ", "$text-muted"), self._former())
        message = [Content.styled(text, "$error") for text in self._message(self.size.width)]
        return Content("\n").join([line, *message])

    def _former(self) -> Content:
        """What the preset has, right of the editor where there is room for it."""
        room = self.size.width - self.editor.region.right + self.region.x - 1
        if self.was is None or room < 8:
            return Content("")
        words = f" was {plain(self.was) or 'empty'}"
        return Content.assemble(" " * self.editor.region.width, (words[:room], "$text-muted"))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A line, and those of the message."""
        return 1 + len(self._message(width))

    def _message(self, width: int) -> list[str]:
        if not self.problem:
            return []
        indent = "    "
        return textwrap.wrap(self.problem, max(16, width), initial_indent=indent, subsequent_indent=indent)

    def on_descendant_focus(self) -> None:
        """The label shows where one is."""
        self.refresh()

    def on_descendant_blur(self) -> None:
        """And no longer."""
        self.refresh()

    @on(Input.Changed)
    @on(Choice.Changed)
    def _tell(self, event: Input.Changed | Choice.Changed) -> None:
        event.stop()
        if event.value != self._told:  # an Input announces its first value too
            self._told = event.value
            self.post_message(self.Edited(self, event.value))


def _editor(spec: FieldSpec, text: str) -> Input | Choice:
    if spec.shape == "switch":
        return Choice(SWITCH, text)
    if spec.shape == "choice":
        return Choice(spec.choices, text)
    return FieldInput(text, placeholder=" or ".join(spec.choices))

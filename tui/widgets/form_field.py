"""One field of the form: its name, what one types or chooses, and what is wrong with it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.validation import ValidationResult
from textual.widget import Widget
from textual.widgets import Input

from engine.schema.fields import FieldSpec
from engine.text import plain
from tui.widgets.form_choice import SWITCH, Choice
from tui.widgets.narrow import shortened

LABEL_CELLS = 21
EDITOR_CELLS = 26
"""Of an editor that does not fill its column, and the fewest of one that does."""
WORTH_CELLS = 4
"""One that would be wider by less is as wide as the others: a ragged edge is no gain."""
FEWEST_FORMER_CELLS = 8
LONG_SHAPES = ("text", "list", "table")
CHANGED = "●"
WRONG = "✗"


class FieldInput(Input):
    """An Input of one line that leaves validation to the form, and so need not be styled again by its outcome."""

    def validate(self, value: str) -> ValidationResult | None:
        """Nothing to say here."""
        return None

    def render_line(self, y: int) -> Strip:
        """Both ends of what is too long, as long as nobody edits it."""
        room = self.scrollable_content_region.width
        if y or self.has_focus or cell_len(self.value) <= room:
            return super().render_line(y)
        strip = Strip([Segment(shortened(plain(self.value), room))])
        return strip.extend_cell_length(room + 1).apply_style(self.rich_style)


class FormField(Widget):
    """Draws label, unit and message itself, so that a field costs two widgets and not six."""

    @dataclass
    class Edited(Message):
        """A person typed or chose something."""

        field: FormField
        text: str

    class StartWanted(Message):
        """The run is to be started, with what was chosen just before."""

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
        self.editor.set_class(self._is_long, "-long")
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
            self.editor.select_all() if self.editor.has_focus else self.editor.action_end()

    def render(self) -> Content:
        """Mark, name, unit; the message below it."""
        mark = (f"{WRONG} ", "$error") if self.problem else ("  " if self.was is None else f"{CHANGED} ", "$accent")
        is_kind = self.spec.name == "kind"
        name = self.spec.section if is_kind else self.spec.name
        style = "bold $primary" if self.has_focus_within else "bold $accent" if is_kind else ""
        unit = "" if name.endswith(f"_{self.spec.unit}") else self.spec.unit
        room = LABEL_CELLS - 3 - len(name)
        parts = mark, (name, style), (f"{unit:>{room}} ", "$text-muted")
        line = Content.assemble(*parts, self._former())
        message = [Content.styled(text, "$error") for text in self._message(self.size.width)]
        if self._says_beside(self.size.width):
            gap = " " * (self.size.width - LABEL_CELLS - self._beside(self.size.width))
            line = Content.assemble(*parts, gap, (self.problem, "$error"))
        return Content("\n").join([line, *message])

    def _former(self) -> Content:
        """What the preset has, right of the editor where there is room for it."""
        room = self._former_cells
        if self.was is None or room < FEWEST_FORMER_CELLS:
            return Content("")
        words = f" was {shortened(self._was_in_words, room - len(' was '))}"
        return Content.assemble(" " * (self.size.width - LABEL_CELLS - 1 - room), (words, "$text-muted"))

    @property
    def _was_in_words(self) -> str:
        return plain(self.was or "") or "empty"

    @property
    def _former_cells(self) -> int:
        """Cells right of the editor. One that fills the column leaves up to a third of it, and only if need be."""
        room = self.size.width - LABEL_CELLS - 1
        if not self._is_long or self.was is None:
            return 0 if self._is_long else room - EDITOR_CELLS
        cells = min(len(" was ") + cell_len(self._was_in_words), room // 3, room - EDITOR_CELLS)
        return cells if cells >= FEWEST_FORMER_CELLS else 0

    @property
    def _is_long(self) -> bool:
        """Whether the editor fills the column: what it holds may be as long as one likes."""
        return self.spec.shape in LONG_SHAPES

    def _make_room(self) -> None:
        if not self._is_long or not self.size.width:
            return
        gain = self.size.width - LABEL_CELLS - 1 - EDITOR_CELLS
        unused = gain if 0 < gain < WORTH_CELLS else 0
        self.editor.styles.margin = (0, 1 + unused + self._former_cells, 0, LABEL_CELLS)

    def on_resize(self) -> None:
        """The editor fills the column, however wide that is."""
        self._make_room()

    def watch_was(self) -> None:
        """But for what the preset has, where that is told."""
        self._make_room()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A line, and those of the message."""
        return 1 + len(self._message(width))

    def _message(self, width: int) -> list[str]:
        """Lines below the editor: none while one types, when the panel has them, so that nothing moves then."""
        if not self.problem or self.has_focus_within or self._says_beside(width):
            return []
        indent = "    "
        return textwrap.wrap(self.problem, max(16, width), initial_indent=indent, subsequent_indent=indent)

    @property
    def untold(self) -> str:
        """What is wrong, if there is no room to say it while one types."""
        return "" if self._says_beside(self.size.width) else self.problem

    def _says_beside(self, width: int) -> bool:
        """Whether the message fits on the editor's line."""
        return bool(self.problem) and cell_len(self.problem) <= self._beside(width)

    def _beside(self, width: int) -> int:
        return 0 if self._is_long else width - LABEL_CELLS - EDITOR_CELLS - 2

    def on_descendant_focus(self) -> None:
        """The label shows where one is."""
        self.refresh(layout=bool(self.problem))

    def on_descendant_blur(self) -> None:
        """And no longer."""
        self.refresh(layout=bool(self.problem))

    @on(Input.Changed)
    @on(Choice.Changed)
    def _tell(self, event: Input.Changed | Choice.Changed) -> None:
        event.stop()
        if event.value != self._told:  # an Input announces its first value too
            self._told = event.value
            self.post_message(self.Edited(self, event.value))

    @on(Choice.StartWanted)
    def _pass_on(self, event: Choice.StartWanted) -> None:
        event.stop()
        self.post_message(self.StartWanted())  # behind what `_tell` told


def _editor(spec: FieldSpec, text: str) -> Input | Choice:
    if spec.shape == "switch":
        return Choice(SWITCH, text)
    if spec.shape == "choice":
        return Choice(spec.choices, text)
    return FieldInput(text, placeholder=" or ".join(spec.choices))

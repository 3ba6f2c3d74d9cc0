"""Beside the form: what the focused field is about, and how large the run will be."""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive
from textual.widget import Widget

from engine.schema.fields import FieldSpec
from engine.text import plain
from tui.draft import Draft, RunSize

LABEL_CELLS = 17
ONE_LINE_FROM, LINE_FROM = 60, 44
"""Cells from which there is room for one line, and for one in shorter words."""
LISTED_CELLS = 40


class FieldHelp(Widget):
    """Path, description, range and the preset's value of one field."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self._draft = draft
        self._spec: FieldSpec | None = None
        self._problem = ""

    def describe(self, spec: FieldSpec | None, problem: str = "") -> None:
        """Be about `spec` from now on, and about what is wrong with its value; about nothing if None."""
        self._spec, self._problem = spec, problem
        self.refresh()

    def render(self) -> Content:
        """Two paragraphs: what it is; what it may be and was."""
        if self._spec is None:
            return Content("")
        spec, draft = self._spec, self._draft
        unit = f"  in {spec.unit}" if spec.unit else ""
        separator = "  " if self.size.width >= LINE_FROM else "\n"
        about = Content.assemble((spec.path, "bold $primary"), (unit, "$text-muted"))
        if self._problem:
            about = Content.assemble(about, separator, (self._problem, "$error"))
        if not self._problem or separator == "\n":  # else it takes the description's place
            about = Content.assemble(about, separator, spec.description)
        allowed = _allowed(spec)
        start = plain(draft.starting_text(spec.path)) or "nothing"
        was = f"{draft.origin} has {start}" if draft.follows_preset(spec.path) else f"{start} by default"
        if draft.differs(spec.path):
            was += "; ^r resets it"
        if separator == "\n":
            return Content.assemble(about, "\n\n", *((allowed, "\n") if allowed else ()), (was, "$text-muted"))
        return Content.assemble(about, "\n", allowed, " · " if allowed else "", (was, "$text-muted"))


def _allowed(spec: FieldSpec) -> str:
    """The range in words, or the words that can be chosen."""
    if spec.shape == "choice":
        all_words = ", ".join(spec.choices)
        return f"one of {all_words}" if len(all_words) <= LISTED_CELLS else f"⏎ lists all {len(spec.choices)}"
    words = [f"or {choice}" for choice in spec.choices]
    if spec.shape == "list":
        words.append("separated by commas")
    if spec.shape == "table":
        words.append('in TOML, as in width = 32, name = "x"')
    return ", ".join(filter(None, [spec.limits, *words]))


class SizeSummary(Widget):
    """Parameters and steps, `—` where they are not known yet."""

    run_size: reactive[RunSize] = reactive(RunSize(None, None, None))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One line, or three where it is narrow."""
        return 1 if width >= LINE_FROM else 3

    def render(self) -> Content:
        """One line, with one name less where it is short; or three where it is narrow."""
        names = ("parameters", "steps per epoch", "steps in all")
        values = ["—" if value is None else f"{value:,}" for value in self.run_size]
        if self.size.width >= LINE_FROM:
            words = names if self.size.width >= ONE_LINE_FROM else ("parameters", "per epoch", "steps")
            parts = [
                Content.assemble((f"{name} ", "$text-muted"), value) for name, value in zip(words, values, strict=True)
            ]
            return Content("   ").join(parts)
        lines = [
            Content.assemble((f"{name:<{LABEL_CELLS}}", "$text-muted"), value)
            for name, value in zip(names, values, strict=True)
        ]
        return Content("\n").join(lines)

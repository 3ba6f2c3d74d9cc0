"""One section of the form: its kind, and the fields that kind has."""

from __future__ import annotations

from collections.abc import Iterator

from textual.app import ComposeResult
from textual.containers import VerticalGroup
from textual.content import Content
from textual.widgets import Static

from tui.draft import Draft
from tui.widgets.form_field import FormField


class FormSection(VerticalGroup):
    """Shows a section of `draft`; the field for its kind stands as its heading."""

    def __init__(self, section: str, draft: Draft) -> None:
        super().__init__()
        self.section = section
        self._draft = draft

    def compose(self) -> ComposeResult:
        """A heading where there is no kind, then the fields."""
        if not self._draft.kind(self.section):
            yield Static(Content.styled(f"  {self.section}", "bold $accent"))
        yield from self._fields()

    @property
    def fields(self) -> list[FormField]:
        """Fields as they are now, in their order."""
        return list(self.query_children(FormField))

    async def swap_fields(self) -> None:
        """Show the fields of the kind that the draft has now; the kind's own field stays, and keeps the focus."""
        kind, *old = self.fields
        with self.app.batch_update():
            kind.spec = self._draft.field(kind.spec.path)
            kind.set_text(self._draft.kind(self.section))
            for field in old:
                await field.remove()
            await self.mount_all(field for field in self._fields() if field.spec.name != "kind")

    def _fields(self) -> Iterator[FormField]:
        for spec in self._draft.fields(self.section):
            yield FormField(spec, self._draft.text(spec.path))

"""A question that one key answers."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tui.widgets.dialog import Dialog


class ConfirmScreen(Dialog[bool]):
    """Asks `question`; dismissed with the answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", id="confirm.yes"),
        Binding("n,escape,q", "answer(False)", "No", id="confirm.no"),
    ]

    def __init__(self, question: str, yes: str) -> None:
        """
        Args:
            question: One or two lines.
            yes: What answering yes does, as a verb.
        """
        super().__init__()
        self._question = question
        self._yes = yes

    def compose(self) -> ComposeResult:
        """The question, and the keys that answer it."""
        keys = Content.assemble(("y", "bold $accent"), f" {self._yes}     ", ("n", "bold $accent"), " keep")
        with Vertical(classes="dialog"):
            yield Static(self._question, markup=False)
            yield Static("")
            yield Static(keys)

    def action_answer(self, answer: bool) -> None:
        """Close with the answer."""
        self.dismiss(answer)

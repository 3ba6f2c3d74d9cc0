"""One line: what a model made of a text, or a word on why there is nothing yet."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from tui.offline_answer import Answer
from tui.widgets.narrow import narrow
from tui.widgets.run_header import bar

_BAR_CELLS = 32
_NAME_CELLS = 24


class AnswerLine(Widget):
    """The likeliest class with a bar, and as many others as have room."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    AnswerLine { height: 1; width: 1fr; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: Answer | tuple[str, str] = ("", "")

    def say(self, text: str, color: str = "$text-muted") -> None:
        """Show a line of text."""
        self._show((text, color))

    def show_answer(self, answer: Answer) -> None:
        """Show an answer."""
        self._show(answer)

    def _show(self, shown: Answer | tuple[str, str]) -> None:
        if shown != self._shown:
            self._shown = shown
            self.refresh()

    def render(self) -> Content:
        """The line for the present width."""
        width = self.content_size.width
        if isinstance(self._shown, Answer):
            return _answer(self._shown, width)
        text, color = self._shown
        return Content.styled(narrow(text, width), color)


def _answer(answer: Answer, width: int) -> Content:
    ranked = sorted(answer.values.items(), key=lambda item: -item[1])
    source = f"step {answer.step:,}" + (f", {narrow(answer.source)}" if answer.source else "")
    parts: list[Content] = []
    room = width - len(source) - 3
    for place, (name, share) in enumerate(ranked):
        # the second of two classes has what the first one leaves: a bar would say nothing more
        cells = min(_BAR_CELLS, width // 3) if place == 0 else 0 if len(ranked) == 2 else _BAR_CELLS // 4
        part = _class(narrow(name, _NAME_CELLS), share, cells, is_likeliest=place == 0)
        if part.cell_length + 3 > room and parts:
            break
        room -= part.cell_length + 3
        parts.append(part)
    line = Content("   ").join(parts)
    gap = max(3, width - line.cell_length - len(source))
    return Content.assemble(line, " " * gap, (source, "$text-muted")).truncate(width)


def _class(name: str, share: float, cells: int, is_likeliest: bool) -> Content:
    words = Content.styled(f"{name} {share:.2f}", "bold" if is_likeliest else "$text-muted")
    return Content.assemble(words, " ", bar(share, cells)) if cells else words

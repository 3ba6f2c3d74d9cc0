"""Text that wraps with a hanging indent."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from rich.segment import Segment
from textual.content import Content
from textual.css.styles import RulesMap
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions, Visual


class Fact(NamedTuple):
    """Something known, and what to call it."""

    label: str | Content
    text: str


class Lines(Visual):
    """Paragraphs, and facts whose second lines stand under their first."""

    def __init__(self, lines: Sequence[Content | Fact], label_cells: int = 11) -> None:
        self._lines = lines
        self._label_cells = label_cells
        self._by_width: dict[int, Content] = {}

    def render_strips(self, width: int, height: int | None, style: Style, options: RenderOptions) -> list[Strip]:
        """All lines, wrapped to `width`."""
        # wrapped already: Textual need not look for places to break them once more
        as_they_are = replace(options, rules={**options.rules, "text_wrap": "nowrap"})
        return self._wrapped(width).render_strips(width, height, style, as_they_are)

    def rows(self, width: int, style: Style, parse_style: Callable[[str | Style], Style]) -> list[list[Segment]]:
        """All lines, wrapped to `width`, in a quarter of the time that their strips take.

        Styles are looked up once, not once a line; and they don't say where they are, as text that is marked has to.
        """
        rows: list[list[Segment]] = [[]]
        for text, ink in self._wrapped(width).render(style, end="", parse_style=parse_style):
            drawn = (style + ink).rich_style
            for place, part in enumerate(text.split("\n")):
                if place:
                    rows.append([])
                if part:
                    rows[-1].append(Segment(part, drawn))
        return rows

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        """As wide as there is room."""
        return container_width

    def get_height(self, rules: RulesMap, width: int) -> int:
        """Lines it takes once wrapped to `width`."""
        return self._wrapped(width).plain.count("\n") + 1

    def _wrapped(self, width: int) -> Content:
        width = max(1, width)  # a frame in a terminal of a few columns may leave none
        if width not in self._by_width:
            self._by_width[width] = self._wrap(width)
        return self._by_width[width]

    def _wrap(self, width: int) -> Content:
        lines: list[Content] = []
        cells = self._label_cells
        for line in self._lines:
            if isinstance(line, Content):
                lines += line.wrap(width)
                continue
            first, *rest = _broken(line.text, max(8, width - cells))
            label = Content.styled(line.label, "$text-muted") if isinstance(line.label, str) else line.label
            fact = [label.pad_right(cells - label.cell_length) + first, *(Content(" " * cells + text) for text in rest)]
            for part in fact:  # a narrow pane, or wide characters, which `textwrap` takes for narrow ones
                lines += [part] if part.cell_length <= width else part.wrap(width)
        return Content("\n").join(lines)


def _broken(text: str, cells: int) -> list[str]:
    """What `textwrap` makes of `text`; most texts are short and neat, and it would look at their every word."""
    if len(text) <= cells and text.isprintable() and text == text.strip():
        return [text]
    return textwrap.wrap(text, cells) or [""]

"""Text that wraps with a hanging indent."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

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

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        """As wide as there is room."""
        return container_width

    def get_height(self, rules: RulesMap, width: int) -> int:
        """Lines it takes once wrapped to `width`."""
        return self._wrapped(width).plain.count("\n") + 1

    def _wrapped(self, width: int) -> Content:
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
            first, *rest = textwrap.wrap(line.text, max(8, width - cells)) or [""]
            label = Content.styled(line.label, "$text-muted") if isinstance(line.label, str) else line.label
            fact = [label.pad_right(cells - label.cell_length) + first, *(Content(" " * cells + text) for text in rest)]
            for part in fact:  # a narrow pane, or wide characters, which `textwrap` takes for narrow ones
                lines += [part] if part.cell_length <= width else part.wrap(width)
        return Content("\n").join(lines)

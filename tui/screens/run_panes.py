"""How a run's panes share the screen: as many as have room, the others a key away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual.containers import Container
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from tui.widgets.narrow import narrow

WIDE = 110
"""Columns from which two panes stand side by side."""
TALL = 34
"""Lines from which two panes stand one above the other."""
VERY_TALL = 54


class Slots(NamedTuple):
    """Panes that have room, across and down."""

    columns: int
    rows: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.columns * self.rows


def slots_for(width: int, height: int, is_zoomed: bool) -> Slots:
    """How many panes a screen of that size shows at once."""
    if is_zoomed:
        return Slots(1, 1)
    columns = 2 if width >= WIDE else 1
    if height < TALL:
        return Slots(columns, 1)
    return Slots(columns, 3 if columns == 1 and height >= VERY_TALL else 2)


class PaneTabs(Static):
    """Names of all panes, the shown ones marked; there only while some are hidden."""

    DEFAULT_CSS = """
    PaneTabs { height: 1; padding: 0 1; width: 1fr; }
    """

    class Chosen(Message):
        """A pane's name was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self._labels: tuple[str, ...] = ()
        self._shown: frozenset[int] = frozenset()

    def show(self, labels: Sequence[str], shown: frozenset[int]) -> None:
        """Name the panes, and mark those on screen."""
        cut = tuple(narrow(label, 20) for label in labels)
        if (cut, shown) == (self._labels, self._shown):
            return
        self._labels, self._shown = cut, shown
        parts = [
            Content.styled(f"▸{index + 1} {label}", "bold $primary")
            if index in shown
            else Content.styled(f" {index + 1} {label}", "$text-muted")
            for index, label in enumerate(cut)
        ]
        self.update(Content("  ").join(parts))

    def on_click(self, event: Click) -> None:
        """Choose the pane whose name is below the mouse."""
        at = event.x - self.styles.padding.left
        for index, label in enumerate(self._labels):
            width = len(label) + 3 + len(str(index + 1)) - 1
            if 0 <= at < width:
                self.post_message(self.Chosen(index))
                return
            at -= width + 2


class PaneGrid(Container):
    """Holds the panes, and shows the page of them that the active one is on."""

    BLANK = True
    """Panes cover all of it: not a line of its own need be worked out."""

    DEFAULT_CSS = """
    PaneGrid { layout: grid; height: 1fr; width: 1fr; grid-size: 1 1; grid-gutter: 0; }
    """

    def lay_out(self, panes: Sequence[Widget], active: Widget, slots: Slots) -> frozenset[int]:
        """Lay out `panes`; returns the indices of those that are shown."""
        index = panes.index(active) if active in panes else 0
        first = index - index % slots.total
        shown = panes[first : first + slots.total]
        columns = min(slots.columns, len(shown))
        rows = -(-len(shown) // max(1, columns))
        self.styles.grid_size_columns, self.styles.grid_size_rows = max(1, columns), max(1, rows)
        # an odd one out: the first pane, which is the loss, takes the place
        spans = {id(pane): 1 for pane in shown} | {id(pane): 1 + columns * rows - len(shown) for pane in shown[:1]}
        for pane in self.children:
            pane.display = id(pane) in spans
            pane.styles.column_span = spans.get(id(pane), 1)
        return frozenset(range(first, first + len(shown)))

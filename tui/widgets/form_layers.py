"""What the configured network is made of, layer by layer."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive
from textual.widget import Widget

from engine.schema.layers import Layer
from tui.layer_table import NOTE, layer_table
from tui.widgets.dialog import Dialog
from tui.widgets.key_footer import KeyFooter
from tui.widgets.window import Window

TITLE = Content("Layers")


class LayersView(NamedTuple):
    """Either layers, or why there are none to be seen."""

    layers: Sequence[Layer] = ()
    instead: str = ""


class LayerLines(Widget):
    """The table, with its totals and what they count."""

    DEFAULT_CSS = """
    LayerLines { width: 1fr; height: auto; }
    """

    view: reactive[LayersView] = reactive(LayersView(), layout=True)

    def __init__(self, view: LayersView) -> None:
        super().__init__()
        self.set_reactive(LayerLines.view, view)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as there are."""
        return len(self._lines(width))

    def render(self) -> Content:
        """Header, layers and totals; or the words that stand in their place."""
        return Content("\n").join(self._lines(self.size.width))

    def _lines(self, width: int) -> list[Content]:
        width = max(16, width)
        if self.view.instead:
            return [Content.styled(line, "$text-muted") for line in textwrap.wrap(self.view.instead, width)]
        header, *rows, total = layer_table(self.view.layers).lines(width)
        note = [Content.styled(line, "$text-muted") for line in textwrap.wrap(NOTE, width)]
        return [Content.styled(header, "bold $primary"), *map(Content, rows), Content.styled(total, "bold"), *note]


class LayersPane(VerticalScroll):
    """The table in a pane of the form."""

    DEFAULT_CSS = """
    LayersPane {
        height: auto;
        max-height: 45%;
        border: round $border-blurred;
        border-title-color: $foreground;
        padding: 0 1;
        scrollbar-size-vertical: 1;
        &:focus { border: heavy $border; }
    }
    """

    def compose(self) -> ComposeResult:
        """The table."""
        self.border_title = TITLE
        yield LayerLines(LayersView())

    def show(self, view: LayersView) -> None:
        """Show `view` from now on."""
        self.query_one(LayerLines).view = view


class LayersScreen(Dialog[None]):
    """The table over the form, where there is no room beside it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f4,q", "dismiss", "Close", id="layers.close", tooltip="Back to the form"),
    ]

    def __init__(self, view: LayersView) -> None:
        super().__init__()
        self._view = view

    def compose(self) -> ComposeResult:
        """The table, as it is now."""
        with Window() as dialog:
            dialog.border_title = TITLE
            dialog.border_subtitle = Content("Esc closes")
            yield LayerLines(self._view)
        yield KeyFooter()

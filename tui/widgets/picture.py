"""A widget that shows a picture made of characters, and draws it only when it has to."""

from __future__ import annotations

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.palette import Palette, palette_of
from tui.widgets.plot import Drawing


class Picture(Widget, can_focus=True):
    """Keeps its strips until `redraw`, another size or another theme."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    Picture {
        height: 1fr;
        width: 1fr;
        border: round $border-blurred;
        border-title-color: $foreground;
        border-subtitle-color: $text-muted;
        &:focus { border: heavy $border; }
    }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._strips: list[Strip] = []
        self._drawn_for: tuple[object, ...] = ()

    def draw(self, width: int, height: int, palette: Palette) -> list[Strip]:
        """The picture for a size of at least 1 by 1."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw anew before the next frame."""
        self._drawn_for = ()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of the picture."""
        wanted = (self.size, self.app.theme)
        if wanted != self._drawn_for:
            self._drawn_for = wanted
            width, height = self.size
            base = self.rich_style
            drawn = self.draw(width, height, palette_of(self.app)) if width > 0 and height > 0 else []
            self._strips = [strip.adjust_cell_length(width, base).apply_style(base) for strip in drawn]
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self.rich_style)


def drawing_strips(drawing: Drawing, palette: Palette) -> list[Strip]:
    """A drawn chart in the colours of `palette`."""
    roles = palette.roles
    return [
        Strip([Segment(run.text, roles[run.role]) for run in row], sum(len(run.text) for run in row)) for row in drawing
    ]

"""What stands in the middle of a dialog."""

from __future__ import annotations

from textual.containers import VerticalScroll
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.style import Style
from textual.widget import Widget

from tui.widgets.lines import Lines
from tui.widgets.true_colors import filtered


class Window(VerticalScroll):
    """A frame, and in it widgets that scroll."""

    def __init__(self) -> None:
        super().__init__(classes="dialog")

    def watch_has_focus(self, _has_focus: bool) -> None:
        """It looks the same with the focus as without: neither it nor what is in it need be styled anew."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """The frame. Between its first line and its last all are alike, and one is worked out for all of them."""
        width, height = self.outer_size
        if height < 3:
            return super().render_lines(crop)
        first, inner, last = (super(Window, self).render_lines(Region(0, y, width, 1)) for y in (0, 1, height - 1))
        strips = [*first, *inner * (height - 2), *last][crop.y : crop.bottom]
        return [strip.crop(*crop.column_span) for strip in strips]


class WindowLines(Widget):
    """Words in a window, as a `Static` without frame or padding shows them, in a quarter of the time: somebody waits.

    Args:
        lines: What it shows, once and for all.
        id: Its id.
    """

    ALLOW_SELECT = False
    """`Lines` have no text that could be copied."""

    def __init__(self, lines: Lines, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines = lines
        self._strips: list[Strip] = []
        """All lines, as wide as it is; none as long as nobody has asked for one."""

    def notify_style_update(self) -> None:
        """Its colours may be others now."""
        self._strips = []
        super().notify_style_update()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as they take once wrapped to `width`."""
        return self._lines.get_height({}, width)

    def render_line(self, y: int) -> Strip:
        """Line `y`."""
        return self.render_lines(Region(0, y, self.size.width, 1))[0]

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines within `crop`; below the last one all are empty."""
        width = self.size.width
        if not self._strips or self._strips[0].cell_length != width:
            self._strips = self._drawn(width)
        strips = self._strips[crop.y : crop.bottom]
        strips += [Strip.blank(width, self.visual_style.rich_style)] * (crop.height - len(strips))
        return [strip.crop(*crop.column_span) for strip in strips]

    def _drawn(self, width: int) -> list[Strip]:
        paper = self.visual_style.background_style.rich_style
        rows = self._lines.rows(width, self.visual_style, _parsed)
        return filtered((Strip(row).adjust_cell_length(width, paper) for row in rows), self)


def _parsed(style: str | Style) -> Style:
    return Style.parse(style) if isinstance(style, str) else style

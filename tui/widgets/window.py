"""What stands in the middle of a dialog."""

from __future__ import annotations

from textual.containers import VerticalScroll
from textual.geometry import Region
from textual.strip import Strip


class Window(VerticalScroll):
    """A frame, and in it widgets that scroll."""

    def __init__(self) -> None:
        super().__init__(classes="dialog")

    def render_lines(self, crop: Region) -> list[Strip]:
        """The frame. Between its first line and its last all are alike, and one is worked out for all of them."""
        width, height = self.outer_size
        if height < 3:
            return super().render_lines(crop)
        first, inner, last = (super(Window, self).render_lines(Region(0, y, width, 1)) for y in (0, 1, height - 1))
        strips = [*first, *inner * (height - 2), *last][crop.y : crop.bottom]
        return [strip.crop(*crop.column_span) for strip in strips]

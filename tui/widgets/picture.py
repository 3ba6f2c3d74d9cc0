"""A widget that shows a picture made of characters, draws it only when it has to, and repaints only what changed."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from rich.segment import Segment
from textual.content import Content
from textual.geometry import Region, Spacing
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.palette import Palette, palette_of
from tui.widgets.plot import Drawing
from tui.widgets.true_colors import filtered

_NOTHING = Content("")
_FRAME = Spacing.all(1)


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

    _border_line: tuple[Region, ...] = ()
    """What alone is to be repainted while the text in a border is set."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._strips: list[Strip] = []
        self._drawn_for: tuple[object, ...] = ()
        self._entitled: dict[str, Content] = {}
        self._framed: dict[int, Strip] = {}
        """Lines of the widget, frame and all, as they were last painted."""
        self._sides: tuple[Segment, Segment] | None = None

    def draw(self, width: int, height: int, palette: Palette) -> list[Strip]:
        """The picture for a size of at least 1 by 1."""
        raise NotImplementedError

    def redraw(self) -> int:
        """Draw anew, and have those lines repainted that have changed.

        Returns:
            How many have; all of them, if the picture is to be drawn only when it is painted: because its size or
            theme is new.
        """
        before = self._strips
        if self._drawn_for != self._wanted or not self.size:
            self._drawn_for = ()
            self.refresh()
            return self.size.height
        self._make_strips()
        pairs = enumerate(zip_longest(self._strips, before))
        changed = [Region(0, y, self.size.width, 1) for y, (now, then) in pairs if now != then]
        if changed:
            self.refresh(*changed)
        return len(changed)

    def entitle(self, title: Content, subtitle: Content) -> None:
        """Put words into the upper and the lower border."""
        for name, text, line in (("border_title", title, -1), ("border_subtitle", subtitle, self.size.height)):
            if text.is_same(self._entitled.get(name, _NOTHING)):
                continue
            self._entitled[name] = text
            self._border_line = (Region(0, line, self.size.width, 1),)
            try:
                setattr(self, name, text)
            finally:
                self._border_line = ()

    def refresh(self, *regions: Region, **how: Any) -> Picture:
        """Textual repaints the whole widget for a word in its border; here it is that line."""
        regions = regions or self._border_line
        if regions:
            for region in regions:
                for y in region.line_range:
                    self._framed.pop(y + _FRAME.top, None)
        else:
            self._framed, self._sides = {}, None
        return super().refresh(*regions, **how)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines of the picture in their frame.

        Textual works out both sides of the frame for every line, which takes longer than the picture. Here it does so
        for one, and the others get the same.
        """
        width, height = self.outer_size
        if self.gutter != _FRAME or crop.bottom > height:
            return super().render_lines(crop)
        strips = [self._framed.get(y) or self._frame(y, width, height) for y in crop.line_range]
        return strips if crop.column_span == (0, width) else [strip.crop(*crop.column_span) for strip in strips]

    def _frame(self, y: int, width: int, height: int) -> Strip:
        is_inside = 0 < y < height - 1
        if is_inside and self._sides is not None:
            left, right = self._sides
            [inner] = filtered([self.render_line(y - 1)], self)
            strip = Strip([left, *inner, right], width)
        else:
            [strip] = super().render_lines(Region(0, y, width, 1))
            if is_inside:
                left, *_, right = strip
                self._sides = left, right
        self._framed[y] = strip
        return strip

    def render_line(self, y: int) -> Strip:
        """One line of the picture."""
        if self._drawn_for != self._wanted:
            self._make_strips()
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self.rich_style)

    @property
    def _wanted(self) -> tuple[object, ...]:
        return self.size, self.app.theme

    def _make_strips(self) -> None:
        self._drawn_for = self._wanted
        width, height = self.size
        base = self.rich_style
        drawn = self.draw(width, height, palette_of(self.app)) if width > 0 and height > 0 else []
        self._strips = [strip.adjust_cell_length(width, base).apply_style(base) for strip in drawn]


def drawing_strips(drawing: Drawing, palette: Palette) -> list[Strip]:
    """A drawn chart in the colours of `palette`."""
    roles = palette.roles
    return [
        Strip([Segment(run.text, roles[run.role]) for run in row], sum(len(run.text) for run in row)) for row in drawing
    ]

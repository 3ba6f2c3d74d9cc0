"""The run's log: time-stamped lines that wrap, follow the end, and stay readable when something failed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from engine.text import plain
from tui.widgets.palette import Palette, palette_of, style_of

Level = Literal["info", "warning", "error", "trace"]

_SIGNS: dict[Level, str] = {"info": "·", "warning": "!", "error": "✗", "trace": " "}
_STAMP_CELLS = 9


class LogLine(NamedTuple):
    """A line of the log."""

    at: float | None
    """Seconds since the epoch, None for a line that belongs to the one before."""
    level: Level
    text: str


class LogPane(ScrollView, can_focus=True):
    """Shows lines, wrapped to its width; scrolls along with the end until somebody scrolls up."""

    DEFAULT_CSS = """
    LogPane {
        height: 1fr;
        width: 1fr;
        border: round $border-blurred;
        border-title-color: $foreground;
        border-subtitle-color: $text-muted;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: stable;
        overflow-x: hidden;
        &:focus { border: heavy $border; }
    }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = Content.styled("Log", "bold")
        self._lines: tuple[LogLine, ...] = ()
        self._wrapped: list[tuple[LogLine, str, bool]] = []
        self._wrapped_for = 0
        self._follows_end = True

    def show(self, lines: Sequence[LogLine]) -> None:
        """Show `lines` in place of those before."""
        if tuple(lines) != self._lines:
            self._lines = tuple(lines)
            if self._text_width > 0:  # else they are wrapped once there is a width
                self._wrap()

    def text(self) -> str:
        """All that is shown, for tests and for copying."""
        return "\n".join(text for _, text, _ in self._wrapped)

    def on_resize(self) -> None:
        """Wrap to the new width, and keep the end in view where it was."""
        if self._wrapped_for != self._text_width:
            self._wrap()
        elif self._follows_end:
            self.call_after_refresh(self._keep_end)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Somebody who scrolls up wants to stay there; at the end the pane follows again."""
        super().watch_scroll_y(old_value, new_value)
        if new_value != old_value:
            self._follows_end = new_value >= self.max_scroll_y - 1 or (self._follows_end and new_value > old_value)

    def _keep_end(self) -> None:
        """Bring the scrollbar to where the lines are; only after a layout is it known how far that is."""
        if self._follows_end and self.scroll_y != self.max_scroll_y:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True, immediate=True)
        if self.show_vertical_scrollbar:  # one that has just appeared has not heard of any scrolling yet
            self.vertical_scrollbar.position = self.scroll_y

    @property
    def _text_width(self) -> int:
        return self.scrollable_content_region.width

    def _wrap(self) -> None:
        self._wrapped_for = width = self._text_width
        self._wrapped = [
            (line, part, index == 0)
            for line in self._lines
            for index, part in enumerate(_wrap(plain(line.text), max(1, width - _STAMP_CELLS - 2)))
        ]
        self.virtual_size = Size(width, len(self._wrapped))
        if self._follows_end:
            self.call_after_refresh(self._keep_end)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        width, base = self.size.width, self.visual_style.rich_style
        # scrolling takes effect a frame later: the end is shown without waiting for it
        end = max(0, len(self._wrapped) - self.size.height)
        at = y + (end if self._follows_end else self.scroll_offset.y)
        if at >= len(self._wrapped):
            return Strip.blank(width, base)
        line, text, is_first = self._wrapped[at]
        palette = palette_of(self.app)
        stamp = time.strftime("%H:%M:%S ", time.localtime(line.at)) if is_first and line.at is not None else " " * 9
        ink, bold = _ink(line.level, palette)
        segments = [
            Segment(stamp, style_of(palette.muted, None, False)),
            Segment(f"{_SIGNS[line.level] if is_first else ' '} ", style_of(ink, None, True)),
            Segment(text, style_of(ink, None, bold)),
        ]
        return Strip(segments).adjust_cell_length(width, base).apply_style(base)


def _ink(level: Level, palette: Palette) -> tuple[tuple[int, int, int], bool]:
    if level == "error":
        return palette.error, True
    if level == "warning":
        return palette.accent, False
    return (palette.muted, False) if level == "trace" else (palette.foreground, False)


def _wrap(text: str, width: int) -> list[str]:
    """`text` in parts of at most `width` cells, broken at spaces where there are any."""
    if cell_len(text) <= width:
        return [text]
    parts, part, used, space = [], "", 0, -1
    for char in text:
        cells = cell_len(char)
        if used + cells > width:
            if space > width // 3:
                parts.append(part[:space])
                part = part[space + 1 :]
            else:
                parts.append(part)
                part = ""
            used, space = cell_len(part), -1
        if char == " ":
            space = len(part)
        part += char
        used += cells
    return [*parts, part]

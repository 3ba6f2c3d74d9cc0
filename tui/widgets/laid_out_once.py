"""Widgets that take the place they are given, and don't scroll."""

from __future__ import annotations

from textual.geometry import Size
from textual.widget import Widget


class LaidOutOnce(Widget):
    """Does not have its screen laid out and painted a second time when a layout has given it another size.

    Textual asks for that whenever the size of what is in a widget is new, also where it is the layout just done that
    says so. Only scrollbars need it: what scrolls is none of these.
    """

    _is_away = False

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        is_painted_whole = size != self._size or self._is_away
        is_told = super()._size_updated(size, virtual_size, container_size, layout=False)
        if is_painted_whole:  # what was to be painted besides would be, with the next line that changes
            self._repaint_regions.clear()
            self._is_away = False
        return is_told

    def on_hide(self) -> None:
        """Out of sight; the layout that brings it back paints all of it."""
        self._is_away = not self.display

"""Widgets that have no say in their size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.geometry import Size

if TYPE_CHECKING:
    from textual.widget import Widget as _Base
else:
    _Base = object


class GivenSize(_Base):
    """Mixed into a widget that takes the size it is given, and shows no scrollbar.

    Textual has each widget whose size a layout changed ask for another layout, in which the whole screen is arranged
    once more, and the widget is painted a second time.
    """

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        return super()._size_updated(size, virtual_size, container_size, layout=False)

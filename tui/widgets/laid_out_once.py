"""Widgets that take the place they are given, and don't scroll."""

from __future__ import annotations

from textual.geometry import Size
from textual.reactive import Reactive
from textual.widget import Widget


class LaidOutOnce(Widget):
    """Does not have its screen laid out and painted a second time when a layout has given it another size.

    Textual asks for that whenever the size of what is in a widget is new, also where it is the layout just done that
    says so. Only scrollbars need it: what scrolls is none of these.
    """

    virtual_size: Reactive[Size] = Reactive(Size(), repaint=False)

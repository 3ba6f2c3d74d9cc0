"""Lines whose colours are all given as red, green and blue."""

from __future__ import annotations

from collections.abc import Iterable

from textual.filter import ANSIToTruecolor
from textual.strip import Strip
from textual.widget import Widget


def filtered(strips: Iterable[Strip], widget: Widget) -> list[Strip]:
    """`strips` as the application wants lines of `widget` to be, without colours for instance.

    Looking up what colours of the terminal's own stand for is left out: there are none.
    """
    filters = [each for each in widget.get_line_filters() if not isinstance(each, ANSIToTruecolor)]
    shown = list(strips)
    for each in filters:
        shown = [strip.apply_filter(each, widget.background_colors[1]) for strip in shown]
    return shown

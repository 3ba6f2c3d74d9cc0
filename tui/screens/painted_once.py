"""Screens that are painted once for what happened once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from textual import events
from textual.geometry import Size
from textual.widget import Widget
from textual.widgets._toast import ToastRack

from tui.painting_app import PaintingApp

if TYPE_CHECKING:
    from textual.screen import Screen

    _Base = Screen[Any]
else:
    _Base = object

ROUNDS = 4
"""Of the event loop, in which a key's news come from widget to widget to the screen."""
MOST_LAYOUTS = 4
"""In a row: what a layout changes, such as a scrollbar that appears, calls for another one."""


class PaintedOnce(_Base):
    """Mixed into a screen: takes out what Textual styles, lays out and paints again, for the same picture."""

    _is_new = False
    """Whether it is on the screen, and has not been painted yet."""
    _is_laid_out = True
    """False while a layout may call for another one: painting waits for the last."""

    def _extend_compose(self, widgets: list[Widget]) -> None:
        """What a screen is told only after its first layout, it may know before."""
        super()._extend_compose(widgets)
        breakpoints = self.app.HORIZONTAL_BREAKPOINTS or []
        self.add_class(*self._get_breakpoint_classes(self.app.size.width, breakpoints), update=False)
        for rack in widgets:
            if isinstance(rack, ToastRack):
                rack.display = False

    def _on_screen_resume(self, event: events.ScreenResume) -> None:
        """A new screen is laid out at once, and again with what comes to it meanwhile: the first waits for that."""
        if not self._compositor.size:
            event.refresh_styles, self._is_new = False, True
            self._size = self.app.size
            self.refresh(layout=True)

    async def _on_idle(self, event: events.Idle) -> None:
        """Paint when a key has taken effect, and then at once; Textual waits for the next sixtieth of a second."""
        app = self.app
        if not isinstance(app, PaintingApp) or not self._is_stale:
            return
        if app.is_busy:
            event.prevent_default()
        elif (app.wants_picture or self._is_new) and self is app.screen:
            event.prevent_default()
            app.wants_picture = self._is_new = False
            self._come_round(ROUNDS)

    def _come_round(self, rounds: int) -> None:
        """Paint after so many rounds, and after all messages that have come by then."""
        if rounds:
            asyncio.get_running_loop().call_soon(self._come_round, rounds - 1)
        else:
            self.call_later(self._on_timer_update)

    @property
    def _is_stale(self) -> bool:
        wants = self._layout_required or self._scroll_required or self._repaint_required
        return bool(wants or self._dirty_widgets) and self.is_current and not self.app._batch_count

    def _refresh_layout(self, size: Size | None = None, scroll: bool = False) -> None:
        """A widget asks for another layout after each that gave it another size: here before anything is painted."""
        self._is_laid_out = False
        try:
            super()._refresh_layout(size, scroll)
            for _ in range(MOST_LAYOUTS - 1):
                if not self._take_changed():
                    break
                super()._refresh_layout(size)
        finally:
            self._is_laid_out = True
        if self._repaint_required:
            self._repaint_required = False
            self._dirty_widgets.add(self)
        self._compositor.update_widgets(self._dirty_widgets)
        if self.app._batch_count:
            self.call_later(self._compositor_refresh)
        elif self.is_current:
            self._compositor_refresh()

    def _take_changed(self) -> bool:
        """Take up the wishes for another layout, as Textual would a few messages later; whether there are any."""
        changed = [widget for widget in self._compositor.widgets if widget._layout_required and widget is not self]
        for widget in changed:
            widget._layout_required = widget._repaint_required = False
            self._dirty_widgets.add(widget)
            for ancestor in widget.ancestors:
                if isinstance(ancestor, Widget):
                    ancestor._clear_arrangement_cache()
        return bool(changed)

    def _compositor_refresh(self) -> None:
        """Paint, unless there will be another layout first."""
        if self._is_laid_out:
            super()._compositor_refresh()

    def _screen_resized(self, size: Size) -> None:
        """A screen is told its size after its first layout, too, which was for that size."""
        if size != self._compositor.size:
            super()._screen_resized(size)

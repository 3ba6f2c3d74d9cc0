"""A live chart of a run's curves."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from textual.content import Content
from textual.strip import Strip

from tui.widgets.curves import GLYPHS, Curve, Role
from tui.widgets.extents import Look, Mark, Marker, misfits
from tui.widgets.narrow import narrow
from tui.widgets.palette import ROLE_COLORS, Palette
from tui.widgets.picture import Picture, drawing_strips
from tui.widgets.plot import Run, draw_chart
from tui.widgets.quantities import number

REDRAW_S = 0.25
"""Between two drawings pass at least so many seconds, unless a key asks."""
COST_RATIO = 50
"""Times longer than drawing took must pass before the next: a chart is drawn in at most 2 % of a core's time."""
LONGEST_S = 2.0
"""However dear drawing is, a chart lags no more than this."""
IDLE_S = 1.0
"""Nor more than this because nothing that can be seen has changed of late."""
SLACK_S = 0.02
"""Timers are not exact: what comes so much too early is in time."""
MARKERS: tuple[Marker, ...] = ("braille", "hd", "dot")


@dataclass(frozen=True, eq=False)
class ChartContent:
    """What a chart shows."""

    title: str
    curves: Sequence[Curve] = ()
    marks: Sequence[Mark] = ()
    look: Look = field(default_factory=Look)
    notes: tuple[str, ...] = ()
    """Said in the lower border: scales, smoothing, what is missing."""
    latest: tuple[tuple[str, Role, float | None], ...] = ()
    """Label, role and last value of each curve, for the legend."""
    waiting: str = "no values yet"
    """Said where there are no curves."""


class Chart(Picture):
    """Draws what it is offered, when that differs from what it shows, and not more often than drawing is cheap."""

    def __init__(self, id: str | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(id=id)
        self._content = ChartContent("")
        self._key: Hashable = None
        self._look: Hashable = None
        self._clock = clock
        self._due_at_s = 0.0
        self._rest_s = REDRAW_S
        self._took_s = 0.0

    def offer(
        self, key: Hashable, build: Callable[[], ChartContent], look: Hashable = None, urgent: bool = False
    ) -> None:
        """Show what `build` makes, unless `key` and `look` are those of the content shown.

        While the last drawing was too short ago nothing happens: offer again. `urgent` content is shown at once, and so
        is another `look`, which a key press asked for.
        """
        is_enough = key == self._key or (self._clock() < self._due_at_s and not urgent)
        if look == self._look and is_enough:
            return
        began_s = time.thread_time()
        self._key, self._look, self._content = key, look, build()
        self.entitle(self._legend(), Content(self._notes()))
        self._took_s = time.thread_time() - began_s
        # curves of a long run move by less than a dot between two looks: then looking less often costs nothing
        self._rest_s = REDRAW_S if self.redraw() else min(IDLE_S, 2 * self._rest_s)
        self._due_at_s = self._clock() + max(self._rest_s, min(LONGEST_S, COST_RATIO * self._took_s)) - SLACK_S

    def draw(self, width: int, height: int, palette: Palette) -> list[Strip]:
        """The chart, or a word on why there is none."""
        began_s = time.thread_time()
        content = self._content
        drawing = draw_chart(content.curves, content.marks, width, height, content.look)
        if not any(len(curve.x) for curve in content.curves):
            drawing[height // 2] = [Run(narrow(content.waiting, width).center(width), Role.AXIS)]
        strips = drawing_strips(drawing, palette)
        self._took_s += time.thread_time() - began_s
        return strips

    def on_resize(self) -> None:
        """The title has another width to fit into."""
        self.entitle(self._legend(), Content(self._notes()))

    def _notes(self) -> str:
        content = self._content
        bad, nonpositive = misfits(content.curves, content.look.log_y)
        notes = list(content.notes)
        if len(bad):
            notes.append("× not finite")
        if len(nonpositive):
            notes.append("× below: not above 0")
        return " · ".join(narrow(note, 60) for note in notes)

    def _legend(self) -> Content:
        """The title, shortened where the last values need its room, and the values."""
        values = []
        for label, role, value in self._content.latest:
            shown = "×" if value is None else number(value)
            values.append((f"  {GLYPHS.get(role, '•')} {narrow(label, 20)} {shown}", f"${ROLE_COLORS[role]}"))
        room = self.size.width - 4 - sum(len(text) for text, _ in values)
        title = narrow(self._content.title, max(8, room) if self.size.width else None)
        return Content.assemble((title, "bold"), *values)


def default_marker() -> Marker:
    """What curves are made of: `DLTUI_MARKER`, braille unless it says otherwise."""
    wanted = os.environ.get("DLTUI_MARKER", "")
    return next((marker for marker in MARKERS if marker == wanted), "braille")

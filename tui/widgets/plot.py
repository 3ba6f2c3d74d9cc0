"""Curves drawn by plotext, as rows of characters that each know their role."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from plotext._date import date_class
from plotext._monitor import monitor_class

from tui.widgets.curves import GLYPHS, Curve, Floats, Role, decimate, segments
from tui.widgets.extents import Extent, Look, Mark, misfits, scaled, x_extent, y_extent
from tui.widgets.narrow import narrow
from tui.widgets.raster import RAW, Raster
from tui.widgets.ticks import Tick, linear_ticks, log_ticks, time_ticks

_LABEL_LIMIT = 16
_NARROWEST = 2
"""Columns or lines of a chart beside an axis that is drawn alone."""
_ROLES = tuple(Role)
"""By number: asking the enumeration for each run is dear."""
_SAME = re.compile(rb"(.)\1*", re.DOTALL)

Cells = list[list[str]]
"""Lines of characters from the top."""
Roles = list[bytearray]
"""The role of each character."""


class Run(NamedTuple):
    """Neighbouring characters of one role."""

    text: str
    role: Role


Drawing = list[list[Run]]
"""Lines of a chart from the top, each as wide as asked for."""


def draw_chart(curves: Sequence[Curve], marks: Sequence[Mark], width: int, height: int, look: Look) -> Drawing:
    """Draw `curves`, later ones over earlier ones, with axes, in `width` times `height` characters.

    Any data and any size will do: what does not fit is left out, axes before curves.
    """
    if width < 1 or height < 1:
        return []
    return _Canvas(curves, marks, width, height, look).draw()


class _Canvas:
    """One chart while it is drawn. x and y are brought to 0…1 first, so that plotext meets no odd numbers."""

    def __init__(self, curves: Sequence[Curve], marks: Sequence[Mark], width: int, height: int, look: Look) -> None:
        self.look = look
        self.marks = [Mark(mark.x, narrow(mark.label)) for mark in marks]
        self.curves = [replace(scaled(curve, look.log_y), label=narrow(curve.label)) for curve in curves]
        self.x_extent = x_extent(self.curves, look.scale)
        self.y_extent = y_extent(self.curves, look)
        self.signs: list[tuple[Role, Floats, Floats]] = []
        self.bad, self.nonpositive = misfits(curves, look.log_y)
        self.margin = _end_margin(self.curves, width) if look.names_at_ends else 0
        self.width, self.height = width - self.margin, height
        self.has_axes = self.height >= 5 and self.width >= 16
        ticks = self._y_ticks() if self.has_axes else []
        widest = max((len(tick.label) for tick in ticks), default=0)
        if self.width - widest < 12:
            ticks, widest = [], 0
        self.y_ticks = ticks
        self.left = widest + 1 if self.has_axes else 0
        self.columns = self.width - self.left
        self.x_ticks = self._x_ticks() if self.has_axes else []
        self.lines = self.height - (1 + bool(self.x_ticks) if self.has_axes else 0)
        if self.lines >= 6 and any(mark.label for mark in marks):
            # one line at the top stays free for the labels of marks
            low, high = self.y_extent
            self.y_extent = Extent(low, high + (high - low) / (self.lines - 1))
        self.raster = Raster(self.columns, self.lines, look.marker)
        self.y_extent = self.y_extent.widened(self.raster.end_dots)

    def draw(self) -> Drawing:
        """The finished chart."""
        for curve in self.curves:
            self._add(curve)
        cells, roles = self._canvas()
        self._draw_signs(cells, roles)
        self._draw_misfits(cells, roles)
        self._draw_marks(cells, roles)
        self._draw_ends(cells, roles)
        return _runs(cells, roles)

    def _canvas(self) -> tuple[Cells, Roles]:
        """Axes and curves."""
        frame = _axes(self.width, self.height, *self._places()) if self.has_axes else [" " * self.width] * self.height
        cells = [list(row) for row in frame]
        roles = [bytearray(self.width) for _ in frame]
        for column, row, char, role in self.raster.cells():
            line, at = self.lines - 1 - row, self.left + column
            cells[line][at], roles[line][at] = char, role
        return cells, roles

    def _places(self) -> tuple[tuple[_Place, ...], tuple[_Place, ...]]:
        """Ticks of both axes, in the cells of the dots they belong to: finer than plotext's own places for ticks."""
        x = [(self.raster.column(self.x_extent.place(tick.at)), tick.label) for tick in self.x_ticks]
        y = [(self.raster.line(self.y_extent.place(tick.at)), tick.label) for tick in self.y_ticks]
        return (
            tuple(_Place(column / max(1, self.columns - 1), label) for column, label in x),
            tuple(_Place((self.lines - 1 - line) / max(1, self.lines - 1), label) for line, label in y),
        )

    def _add(self, curve: Curve) -> None:
        x, y = decimate(curve.x, curve.y, self.columns, *self.x_extent)
        x, y = self.x_extent.share(x), self.y_extent.share(y)
        if not curve.is_line:
            self.signs.append((curve.role, x, y))
            return
        every = self._sign_every(len(x), curve.role)
        for xs, ys in segments(x, y):
            if len(xs) > 1:
                self.raster.add(xs, ys, curve.role)
            if every or len(xs) == 1:
                self.signs.append((curve.role, xs[:: every or 1], ys[:: every or 1]))

    def _sign_every(self, points: int, role: Role) -> int:
        """Every how many points a curve shows its sign, 0 for never. The first curve stays a plain line."""
        if role in RAW or (role is Role.TRAIN and points > self.columns // 5):
            return 0
        return max(1, -(-points // max(1, self.columns // 8)))

    def _y_ticks(self) -> list[Tick]:
        count = max(2, (self.height - 2) // 3)
        low, high = self.y_extent
        ticks = log_ticks(low, high, count) if self.look.log_y else linear_ticks(low, high, count)
        # a tick that reads like its neighbour says nothing
        ticks = [
            tick for tick, before in zip(ticks, [None, *ticks], strict=False) if not before or tick[1] != before[1]
        ]
        return [tick for tick in ticks if low <= tick.at <= high and len(tick.label) <= 12]

    def _x_ticks(self) -> list[Tick]:
        count = max(1, self.columns // 12)
        low, high = self.x_extent
        ticks = time_ticks(low, high, count) if self.look.scale == "time" else linear_ticks(low, high, count)
        return [tick for tick in ticks if low <= tick.at <= high and len(tick.label) <= 12]

    # -- over plotext's picture ---------------------------------------------------------------------------------

    def _column(self, x: float) -> int:
        return self.left + self.raster.column(x)

    def _draw_signs(self, cells: Cells, roles: Roles) -> None:
        for role, xs, ys in self.signs:
            for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
                if 0 <= x <= 1 and 0 <= y <= 1 and self.columns > 0:
                    line, column = self.raster.line(y), self._column(x)
                    cells[line][column], roles[line][column] = GLYPHS.get(role, "•"), role

    def _draw_misfits(self, cells: Cells, roles: Roles) -> None:
        for xs, line in ((self.bad, 0), (self.nonpositive, self.lines - 1)):
            for share in self.x_extent.share(xs[:: max(1, len(xs) // 1000)]).tolist():
                if 0 <= share <= 1 and self.columns > 0:
                    column = self._column(share)
                    cells[line][column], roles[line][column] = "×", Role.BAD

    def _draw_marks(self, cells: Cells, roles: Roles) -> None:
        """A dashed upright line behind the curves for each mark, then the labels at the top where there is room.

        Where there is not, the later ones stay: they say how things are now.
        """
        placed = [(self.x_extent.place(mark.x), mark.label) for mark in self.marks]
        columns = {self._column(share): label for share, label in placed if 0 <= share <= 1 and self.columns > 1}
        for column in columns:
            for line in range(self.lines):
                if cells[line][column] == " ":
                    cells[line][column], roles[line][column] = "┊", Role.MARK
        for column, label in sorted(columns.items(), reverse=True) if self.lines >= 6 else ():
            start = max(self.left, min(column + 1, self.width - len(label)))
            room = range(start, start + len(label))
            for line in (0, 1):
                if room.stop <= self.width and all(cells[line][at] in " ┊" for at in (max(0, start - 1), *room)):
                    cells[line][start : room.stop] = label
                    roles[line][start : room.stop] = bytes([Role.MARK]) * len(label)
                    break

    def _draw_ends(self, cells: Cells, roles: Roles) -> None:
        """A sign at the last value of every named curve, and its name in the margin."""
        ends = []
        for curve in self.curves:
            finite = np.flatnonzero(np.isfinite(curve.y))
            if not curve.label or not len(finite) or self.columns < 2 or not curve.is_line:
                continue
            x, y = float(curve.x[finite[-1]]), float(curve.y[finite[-1]])
            line, column = self.raster.line(self.y_extent.place(y)), self._column(self.x_extent.place(x))
            cells[line][column], roles[line][column] = GLYPHS.get(curve.role, "•"), curve.role
            ends.append((line, -y, curve))
        if not self.margin:
            return
        for cell_row, role_row in zip(cells, roles, strict=True):
            cell_row += " " * self.margin
            role_row += bytearray(self.margin)
        for line, curve in _spread(ends, self.lines):
            for at, char in enumerate(narrow(f" {curve.label}", self.margin), self.width):
                cells[line][at], roles[line][at] = char, curve.role


def _end_margin(curves: Sequence[Curve], width: int) -> int:
    names = [len(curve.label) for curve in curves if curve.label and curve.is_line]
    return min(max(names) + 1, _LABEL_LIMIT, width // 5) if names and width >= 40 else 0


def _spread(ends: list[tuple[int, float, Curve]], lines: int) -> list[tuple[int, Curve]]:
    """Names on lines of their own, in the order of the curves' ends and as near to them as they can be."""
    placed: list[tuple[int, Curve]] = []
    for index, (line, _, curve) in enumerate(sorted(ends, key=lambda end: end[:2])[:lines]):
        below = placed[-1][0] + 1 if placed else 0
        latest = lines - (min(len(ends), lines) - index)
        placed.append((min(max(line, below), latest), curve))
    return placed


class _Place(NamedTuple):
    """A tick's place on its axis, from 0 to 1, and what it reads."""

    share: float
    label: str


def _axes(width: int, height: int, x_ticks: tuple[_Place, ...], y_ticks: tuple[_Place, ...]) -> list[str]:
    """Lines of a chart from the top, with axes and nothing else.

    plotext's time goes by the chart's area. So it draws each axis on the narrowest chart that has it; and while that
    along the bottom moves with every step of a live run, the upright one mostly stays as it is.
    """
    names = max((len(tick.label) for tick in y_ticks), default=0)
    below = 1 + bool(x_ticks)
    upright = _frame(names + 1 + _NARROWEST, height - below + 1, (), y_ticks)
    along = _frame(width, _NARROWEST + below, x_ticks, (_Place(1.0, " " * names),) if names else ())
    room = " " * (width - names - 1)
    return [line[: names + 1] + room for line in upright[:-1]] + list(along[_NARROWEST:])


@lru_cache(64)
def _frame(width: int, height: int, x_ticks: tuple[_Place, ...], y_ticks: tuple[_Place, ...]) -> tuple[str, ...]:
    """Lines of an empty chart from the top."""
    monitor = monitor_class()
    monitor.set_date(date_class())
    monitor.set_size([width, height])
    monitor.xaxes = [True, False]
    monitor.yaxes = [True, False]
    monitor.set_xlim(0, 1)
    monitor.set_ylim(0, 1)
    monitor.set_xticks([tick.share for tick in x_ticks], [tick.label for tick in x_ticks])
    monitor.set_yticks([tick.share for tick in y_ticks], [tick.label for tick in y_ticks])
    # an axis without any data is left out: an invisible point keeps it
    monitor.draw([0.0], [0.0], marker=" ", lines=False)
    monitor.build_plot()
    # plotext counts rows from the bottom
    return tuple("".join(row) for row in reversed(monitor.matrix.marker))


def _runs(cells: Sequence[Sequence[str]], roles: Sequence[bytearray]) -> Drawing:
    drawing: Drawing = []
    for chars, row in zip(cells, roles, strict=True):
        text, spans = "".join(chars), [found.span() for found in _SAME.finditer(row)]
        drawing.append([Run(text[start:end], _ROLES[row[start]]) for start, end in spans])
    return drawing

"""Curves drawn by plotext, as rows of characters that each know their role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from plotext._date import date_class
from plotext._monitor import monitor_class

from tui.widgets.curves import GLYPHS, Curve, Floats, Role, decimate, segments
from tui.widgets.extents import Extent, Look, Mark, misfits, scaled, x_extent, y_extent
from tui.widgets.narrow import narrow
from tui.widgets.raster import RAW, Cell, Raster
from tui.widgets.ticks import Tick, linear_ticks, log_ticks, time_ticks

_LABEL_LIMIT = 16


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
        self.lines = self.height - 2 if self.has_axes else self.height
        if self.lines >= 6 and any(mark.label for mark in marks):
            # one line at the top stays free for the labels of marks
            low, high = self.y_extent
            self.y_extent = Extent(low, high + (high - low) / (self.lines - 1))
        self.raster = Raster(self.columns, self.lines, look.marker)

    def draw(self) -> Drawing:
        """The finished chart."""
        for curve in self.curves:
            self._add(curve)
        monitor = self._monitor()
        monitor.build_plot()
        matrix = monitor.matrix
        # plotext counts rows from the bottom
        cells = [list(row) for row in reversed(matrix.marker)]
        roles = [[_role(code) for code in row] for row in reversed(matrix.fullground)]
        self._draw_signs(cells, roles)
        self._draw_misfits(cells, roles)
        self._draw_marks(cells, roles)
        self._draw_ends(cells, roles)
        return [_runs(*line) for line in zip(cells, roles, strict=True)]

    def _monitor(self) -> monitor_class:
        monitor = monitor_class()
        monitor.set_date(date_class())
        monitor.set_size([self.width, self.height])
        monitor.xaxes = [self.has_axes, False]
        monitor.yaxes = [self.has_axes, False]
        monitor.ticks_color = int(Role.AXIS)
        monitor.set_xlim(0, 1)
        monitor.set_ylim(0, 1)
        x_ticks = self._x_ticks() if self.has_axes else []
        # ticks stand in the cells of the dots they belong to, which are finer than plotext's own places for ticks
        x_places = [self.raster.column(self.x_extent.place(tick.at)) for tick in x_ticks]
        y_places = [self.lines - 1 - self.raster.line(self.y_extent.place(tick.at)) for tick in self.y_ticks]
        monitor.set_xticks(_shares(x_places, self.columns), [tick.label for tick in x_ticks])
        monitor.set_yticks(_shares(y_places, self.lines), [tick.label for tick in self.y_ticks])
        # an axis without any data is left out by plotext: an invisible point keeps it. Only then: plotext draws points
        # in no certain order, and the blank could cover one
        drawn = self.raster.cells() or [Cell(0, 0, " ", Role.AXIS)]
        x = _shares([cell.column for cell in drawn], self.columns)
        y = _shares([cell.row for cell in drawn], self.lines)
        monitor.draw(x, y, marker=[cell.char for cell in drawn], color=[int(cell.role) for cell in drawn], lines=False)
        return monitor

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
        return [tick for tick in ticks if low <= tick.at <= high and len(tick.label) <= 10]

    def _x_ticks(self) -> list[Tick]:
        count = max(1, self.columns // 12)
        low, high = self.x_extent
        ticks = time_ticks(low, high, count) if self.look.scale == "time" else linear_ticks(low, high, count)
        return [tick for tick in ticks if low <= tick.at <= high and len(tick.label) <= 12]

    # -- over plotext's picture ---------------------------------------------------------------------------------

    def _column(self, x: float) -> int:
        return self.left + self.raster.column(x)

    def _draw_signs(self, cells: list[list[str]], roles: list[list[Role]]) -> None:
        for role, xs, ys in self.signs:
            for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
                if 0 <= x <= 1 and 0 <= y <= 1 and self.columns > 0:
                    line, column = self.raster.line(y), self._column(x)
                    cells[line][column], roles[line][column] = GLYPHS.get(role, "•"), role

    def _draw_misfits(self, cells: list[list[str]], roles: list[list[Role]]) -> None:
        for xs, line in ((self.bad, 0), (self.nonpositive, self.lines - 1)):
            for share in self.x_extent.share(xs[:: max(1, len(xs) // 1000)]).tolist():
                if 0 <= share <= 1 and self.columns > 0:
                    column = self._column(share)
                    cells[line][column], roles[line][column] = "×", Role.BAD

    def _draw_marks(self, cells: list[list[str]], roles: list[list[Role]]) -> None:
        """A dashed upright line behind the curves for each mark, then the labels at the top where there is room."""
        placed = [(self.x_extent.place(mark.x), mark.label) for mark in self.marks]
        columns = {self._column(share): label for share, label in placed if 0 <= share <= 1 and self.columns > 1}
        for column in columns:
            for line in range(self.lines):
                if cells[line][column] == " ":
                    cells[line][column], roles[line][column] = "┊", Role.MARK
        for column, label in columns.items() if self.lines >= 6 else ():
            start = max(self.left, min(column + 1, self.width - len(label)))
            room = range(start, start + len(label))
            for line in (0, 1):
                if room.stop <= self.width and all(cells[line][at] in " ┊" for at in (max(0, start - 1), *room)):
                    cells[line][start : room.stop] = label
                    roles[line][start : room.stop] = [Role.MARK] * len(label)
                    break

    def _draw_ends(self, cells: list[list[str]], roles: list[list[Role]]) -> None:
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
            role_row += [Role.AXIS] * self.margin
        for line, curve in _spread(ends, self.lines):
            for at, char in enumerate(narrow(f" {curve.label}", self.margin), self.width):
                cells[line][at], roles[line][at] = char, curve.role


def _end_margin(curves: Sequence[Curve], width: int) -> int:
    names = [len(curve.label) for curve in curves if curve.label and curve.is_line]
    return min(max(names) + 1, _LABEL_LIMIT, width // 5) if names and width >= 40 else 0


def _shares(places: Sequence[int], count: int) -> list[float]:
    """Where plotext wants a value that is to stand in each of `places`."""
    return [place / max(1, count - 1) for place in places]


def _role(code: object) -> Role:
    return Role(code) if isinstance(code, int) else Role.AXIS


def _spread(ends: list[tuple[int, float, Curve]], lines: int) -> list[tuple[int, Curve]]:
    """Names on lines of their own, in the order of the curves' ends and as near to them as they can be."""
    placed: list[tuple[int, Curve]] = []
    for index, (line, _, curve) in enumerate(sorted(ends, key=lambda end: end[:2])[:lines]):
        below = placed[-1][0] + 1 if placed else 0
        latest = lines - (min(len(ends), lines) - index)
        placed.append((min(max(line, below), latest), curve))
    return placed


def _runs(cells: Sequence[str], roles: Sequence[Role]) -> list[Run]:
    runs: list[Run] = []
    start = 0
    for at in range(1, len(cells) + 1):
        if at == len(cells) or roles[at] is not roles[start]:
            runs.append(Run("".join(cells[start:at]), roles[start]))
            start = at
    return runs

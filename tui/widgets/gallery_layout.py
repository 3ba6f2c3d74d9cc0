"""How large the pictures of a gallery are, and where they go."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

READABLE = 12
"""Pixels across which most pictures can be made out: rather fewer of them than smaller ones."""
_LEEWAY = 2
"""Pixels they may be smaller by where more of the pane is filled so."""
_SMALLEST = 6
"""Pixels across below which a group is rather left out."""
_LARGEST = 4
"""Times a picture is enlarged at most, unless it is tiny."""
_LEAD_SHARE = 2 / 7
"""Of the width: at most so much is for the picture that the others stand beside."""
_LEAD_WIDTH = 40
"""Cells below which all groups stand below each other."""
_GAP = 2


class Shape(NamedTuple):
    """A group of pictures of one size."""

    total: int
    rows: int
    columns: int
    title: int
    """Cells its heading takes."""


class Grid(NamedTuple):
    """Pictures of a group in rows, one pixel apart."""

    tall: int
    wide: int
    """Pixels of a picture; two of them make a line, one a cell."""
    across: int
    down: int

    @property
    def pixels(self) -> tuple[int, int]:
        """Height and width of all."""
        return max(0, self.down * (self.tall + 1) - 1), max(0, self.across * (self.wide + 1) - 1)

    @property
    def lines(self) -> int:
        """Lines of cells it takes."""
        return -(-self.pixels[0] // 2)


class Block(NamedTuple):
    """A group's place: its heading is at (`line`, `column`), its pictures below."""

    group: int
    line: int
    column: int
    width: int
    """Cells for the heading."""
    grid: Grid
    shown: int


@lru_cache(64)
def lay_out(shapes: tuple[Shape, ...], width: int, height: int) -> list[Block]:
    """The places of as many groups, from the first on, as have room in `width` times `height` cells.

    A first group of one picture stands at the left of the others, which are what becomes of it. The others stand below
    each other, and all are drawn at about the same size: the largest at which everything has room, and if that is less
    than READABLE, as many of each group as have room.
    """
    if not shapes or width < 1 or height < 1:
        return []
    if len(shapes) > 1 and shapes[0].total == 1 and width >= _LEAD_WIDTH:
        lead = _lead(shapes[0], int(width * _LEAD_SHARE), height - 1)
        beside = max(lead.wide, min(shapes[0].title, int(width * _LEAD_SHARE))) + _GAP
        blocks = [Block(0, 0, 0, beside - _GAP, lead, 1)]
        return blocks + _stack(shapes, 1, beside, width - beside, height)
    return _stack(shapes, 0, 0, width, height)


def _lead(shape: Shape, width: int, lines: int) -> Grid:
    """One picture, by a whole factor larger or smaller, since that keeps its edges sharp."""
    for times in range(_LARGEST, 1, -1):
        if shape.columns * times <= width and shape.rows * times <= 2 * lines:
            return Grid(shape.rows * times, shape.columns * times, 1, 1)
    part = max(1, -(-shape.columns // width), -(-shape.rows // max(1, 2 * lines)))
    return Grid(max(1, shape.rows // part), max(1, shape.columns // part), 1, 1)


def _stack(shapes: tuple[Shape, ...], first: int, column: int, width: int, height: int) -> list[Block]:
    """The groups from `first` on, below each other."""
    groups = shapes[first : first + height]
    grids = _whole(groups, width, height) or _parts(groups, width, height)
    if not grids:
        return []
    grids = _grown(groups, grids, width, height - len(grids))
    spare = height - sum(1 + grid.lines for grid in grids)
    gap = min(1, spare // max(1, len(grids) - 1))
    if len(shapes) == 1:  # a gallery of one group is a picture by itself: it stands in the middle
        margin = (width - grids[0].pixels[1]) // 2
        column, width = column + margin, width - margin
    blocks, line = [], 0
    for place, (shape, grid) in enumerate(zip(groups, grids, strict=False), first):
        blocks.append(Block(place, line, column, width, grid, _shown(shape, grid)))
        line += 1 + grid.lines + gap
    return blocks


def _whole(groups: tuple[Shape, ...], width: int, height: int) -> list[Grid]:
    """The grids of all pictures of all groups, at the largest size that has room; none if that is too small."""
    for side in range(max(width, 2 * height), READABLE - 1, -1):
        grids = [_grid(shape, _size_within(shape, side, width), width) for shape in groups]
        if sum(grid.lines for grid in grids) <= height - len(groups):
            return grids
    return []


def _parts(groups: tuple[Shape, ...], width: int, height: int) -> list[Grid]:
    """One row of each group, then more of those that take least room; of groups only the first that have any."""
    for count in range(len(groups), 0, -1):
        sides = range(READABLE, (_SMALLEST if count > 1 else 1) - 1, -1)
        tried = [(side, _rows_of(groups[:count], side, width, height - count)) for side in sides]
        fitting = [(side, grids) for side, grids in tried if grids]
        if fitting:
            good = [grids for side, grids in fitting if side >= READABLE - _LEEWAY] or [fitting[0][1]]
            return max(good, key=lambda grids: _covered(groups, grids))
    return []


def _rows_of(groups: tuple[Shape, ...], side: int, width: int, lines: int) -> list[Grid]:
    """As much of each group as has room at pictures of `side` pixels; none if not even a row of each has.

    Small pictures are not enlarged: where not all have room, more of them are worth more.
    """
    sides = [min(side, max(shape.rows, shape.columns)) for shape in groups]
    grids = [_grid(shape, _size_within(shape, own, width), width, 1) for shape, own in zip(groups, sides, strict=True)]
    return _with_rows(groups, grids, width, lines) if sum(grid.lines for grid in grids) <= lines else []


def _with_rows(groups: tuple[Shape, ...], grids: list[Grid], width: int, lines: int) -> list[Grid]:
    while True:
        shown = [_shown(shape, grid) for shape, grid in zip(groups, grids, strict=False)]
        lacking = [place for place, count in enumerate(shown) if count < groups[place].total]
        for place in sorted(lacking, key=lambda place: grids[place].lines):
            grid = grids[place]
            more = _grid(groups[place], (grid.tall, grid.wide), width, grid.down + 1)
            if sum(other.lines for other in grids) - grid.lines + more.lines <= lines:
                grids[place] = more
                break
        else:
            return grids


def _grown(groups: tuple[Shape, ...], grids: list[Grid], width: int, lines: int) -> list[Grid]:
    """The grids with pictures enlarged where lines are left, and none is lost by it."""
    grids = list(grids)
    for place, (shape, grid) in enumerate(zip(groups, list(grids), strict=False)):
        spare = lines - sum(other.lines for other in grids) + grid.lines
        wanted = _shown(shape, grid)
        for size in reversed(_sizes(shape.rows, shape.columns)):
            if size <= (grid.tall, grid.wide):
                break
            columns = (width + 1) // (size[1] + 1)
            if not columns:
                continue
            larger = Grid(*size, min(columns, wanted), -(-wanted // columns))
            if larger.lines <= spare:
                grids[place] = _balanced(larger, shape.total)
                break
    return grids


def _covered(groups: tuple[Shape, ...], grids: list[Grid]) -> int:
    return sum(_shown(shape, grid) * grid.tall * grid.wide for shape, grid in zip(groups, grids, strict=False))


def _shown(shape: Shape, grid: Grid) -> int:
    return min(shape.total, grid.across * grid.down)


def _grid(shape: Shape, size: tuple[int, int], width: int, rows: int | None = None) -> Grid:
    """All pictures of a group at a size, or as many as `rows` take."""
    columns = max(1, min(shape.total, (width + 1) // (size[1] + 1)))
    down = -(-shape.total // columns)
    return _balanced(Grid(*size, columns, down if rows is None else min(rows, down)), shape.total)


def _balanced(grid: Grid, count: int) -> Grid:
    """The same without a short last row, where all are shown."""
    if grid.across * grid.down < count or not grid.down:
        return grid
    return grid._replace(across=-(-count // grid.down))


def _size_within(shape: Shape, side: int, width: int) -> tuple[int, int]:
    """The largest size of at most `side` pixels."""
    return [size for size in _sizes(shape.rows, shape.columns) if max(size) <= side and size[1] <= width][-1]


@lru_cache(256)
def _sizes(rows: int, columns: int) -> list[tuple[int, int]]:
    """Sizes that pictures may have, ascending: shrunk to any from 1 by 1 on, or enlarged by whole factors."""
    longer = max(rows, columns)
    smaller = [
        (max(1, round(rows * side / longer)), max(1, round(columns * side / longer)))
        for side in range(1, min(longer, 256))
    ]
    times = range(1, max(_LARGEST, READABLE // longer) + 1)
    return smaller + [(rows * factor, columns * factor) for factor in times]

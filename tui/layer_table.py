"""A network's layers as a table, for the terminal and for the form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from engine.schema.layers import Layer
from engine.text import plain

HEADER = ("layer", "output", "parameters", "multiply-adds")
NOTE = "Multiply-adds of one sample; convolutions and matrix products count, nothing else."
NOT_SEEN = "—"
SHORTEST_NAME = 8


class LayerTable(NamedTuple):
    """Cells as people read them: names and shapes flush left, numbers flush right."""

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    total: tuple[str, ...]

    def lines(self, columns: int) -> list[str]:
        """Header, rows and total, each a line of at most `columns` cells; long names give way first."""
        everything = [self.header, *self.rows, self.total]
        widths = [max(cell_len(row[place]) for row in everything) for place in range(4)]
        widths[0] = min(widths[0], max(SHORTEST_NAME, columns - sum(widths[1:]) - 2 * 3))
        return [_line(row, widths)[:columns] for row in everything]


def layer_table(layers: Sequence[Layer]) -> LayerTable:
    """The table of `layers`, with its totals."""
    rows: list[tuple[str, ...]] = [
        (plain(layer.name), shape_in_words(layer.output_shape), f"{layer.parameters:,}", f"{layer.multiply_adds:,}")
        for layer in layers
    ]
    parameters, multiply_adds = sum(layer.parameters for layer in layers), sum(layer.multiply_adds for layer in layers)
    return LayerTable(HEADER, rows, ("in all", "", f"{parameters:,}", f"{multiply_adds:,}"))


def shape_in_words(shape: tuple[int, ...]) -> str:
    """`10 x 24 x 24`; a dash where a layer gave nothing that was seen."""
    return " x ".join(map(str, shape)) or NOT_SEEN


def _line(row: tuple[str, ...], widths: Sequence[int]) -> str:
    name, shape, *numbers = row
    cells = [_narrowed(name, widths[0]), set_cell_size(shape, widths[1])]
    cells += [f"{number:>{cells}}" for number, cells in zip(numbers, widths[2:], strict=True)]
    return "  ".join(cells)


def _narrowed(name: str, cells: int) -> str:
    """`name`, cut at its front where its end tells it apart from its neighbours."""
    while cell_len(name) > cells:
        name = f"…{name[2:] if name.startswith('…') else name[1:]}"
    return set_cell_size(name, cells)

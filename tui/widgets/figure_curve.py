"""A fitted curve: the data as points, the model as a line, the truth behind it."""

from __future__ import annotations

import numpy as np

from tui.widgets.curves import Curve, Floats, Role
from tui.widgets.extents import Mark
from tui.widgets.figure_arrays import Arrays, numbers, same_length
from tui.widgets.quantities import number

POINTS_DRAWN = 20_000
"""Of more points than a terminal has places for."""


def fitted_curves(arrays: Arrays) -> tuple[list[Curve], list[Mark]]:
    """Curves and marks of the figure `curve`, to be drawn as a chart.

    Raises:
        FigureError: the arrays make no such figure.
    """
    x, y = numbers(arrays, "x", 1), numbers(arrays, "y", 1)
    line_x, line_y = numbers(arrays, "line_x", 1), numbers(arrays, "line_y", 1)
    same_length(x=len(x), y=len(y))
    same_length(line_x=len(line_x), line_y=len(line_y))
    curves = []
    if "truth_y" in arrays:
        truth_y = numbers(arrays, "truth_y", 1)
        same_length(line_x=len(line_x), truth_y=len(truth_y))
        curves.append(_curve("truth", line_x, truth_y, Role.OVERLAY))
    every = -(-len(x) // POINTS_DRAWN) or 1
    curves.append(_curve("data", x[::every], y[::every], Role.VAL, is_line=False))
    curves.append(_curve("model", line_x, line_y, Role.TRAIN))
    boundary = numbers(arrays, "boundary", 1) if "boundary" in arrays else np.empty(0)
    marks = [Mark(at, f"flips at {number(at)}") for at in boundary[:4].tolist() if np.isfinite(at)]
    return curves, marks


def _curve(label: str, x: Floats, y: Floats, role: Role, is_line: bool = True) -> Curve:
    keep = np.flatnonzero(np.isfinite(x))
    order = keep[np.argsort(x[keep], kind="stable")]
    return Curve(label, x[order], y[order], role, is_line)

"""Shows the pictures a run draws, one at a time."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from textual.content import Content
from textual.strip import Strip

from engine import events as ev
from engine.figures import FigureError, load_figure
from tui.widgets.cells import Cells
from tui.widgets.curves import Curve
from tui.widgets.extents import Look, Mark, Marker
from tui.widgets.figure_arrays import words
from tui.widgets.figure_compare import draw_compare
from tui.widgets.figure_curve import fitted_curves
from tui.widgets.figure_gallery import draw_gallery
from tui.widgets.figure_matrix import draw_matrix
from tui.widgets.figure_regions import draw_regions
from tui.widgets.figure_tiles import draw_mistakes, draw_weights
from tui.widgets.figure_words import draw_words
from tui.widgets.narrow import narrow
from tui.widgets.palette import Palette
from tui.widgets.picture import Picture, drawing_strips
from tui.widgets.plot import draw_chart

_CELL_PICTURES: dict[str, Callable[[Mapping[str, NDArray[Any]], int, int, Palette], Cells]] = {
    "regions": draw_regions,
    "matrix": draw_matrix,
    "mistakes": draw_mistakes,
    "weights": draw_weights,
    "gallery": draw_gallery,
    "compare": draw_compare,
    "words": draw_words,
}

RunCurves = Callable[[Sequence[str]], tuple[Sequence[Curve], Sequence[Mark], Look]]
"""Gives the curves of a run's metrics by their keys, for figures that are only a choice of them."""


@dataclass(frozen=True, eq=False)
class LoadedFigure:
    """A figure as it was read."""

    event: ev.FigureDrawn
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    problem: str = ""
    """Why it can't be shown, empty if it can."""


def read_figure(folder: Path, event: ev.FigureDrawn) -> LoadedFigure:
    """The figure an event tells of, from the run folder; reads a file, so not for the event loop."""
    file = folder / event.file
    try:
        if folder.resolve() not in file.resolve().parents:
            raise FigureError("its file lies outside of the run folder")
        return LoadedFigure(event, load_figure(file))
    except (FigureError, OSError, ValueError, RuntimeError) as error:  # the last for links that go round in circles
        return LoadedFigure(event, problem=str(error))


class FigureView(Picture):
    """One picture, or a word on why there is none."""

    def __init__(self, run_curves: RunCurves, id: str | None = None) -> None:
        super().__init__(id=id)
        self.marker: Marker = "braille"
        self._run_curves = run_curves
        self._figure: LoadedFigure | None = None
        self._place = ""
        self._key: Hashable = None

    def show(self, figure: LoadedFigure | None, place: str, curves_key: Hashable = None) -> None:
        """Show `figure`.

        Args:
            figure: What to show, None while there is nothing.
            place: Where it stands among the others, such as "1 of 2"; why there is none, where there is none.
            curves_key: Changes when the run's curves do, for figures made of them.
        """
        is_chart = figure is not None and figure.event.kind in ("metrics", "curve")
        key = (id(figure), place, curves_key if is_chart else None, self.marker)
        if key == self._key:
            return
        self._key, self._figure, self._place = key, figure, place
        title = figure.event.title if figure else "Pictures"
        notes = [f"step {figure.event.step:,}"] if figure and figure.event.kind != "metrics" else []
        if figure and figure.event.kind == "curve":
            truth = "  ○ truth" if "truth_y" in figure.arrays else ""
            notes.insert(0, f"◆ data  ● model{truth}")
        place = " · ".join([*notes, *([place] if place and figure else [])])
        self.entitle(Content.styled(narrow(title), "bold"), Content(place))
        self.redraw()

    def draw(self, width: int, height: int, palette: Palette) -> list[Strip]:
        """The figure; a damaged one is one line."""
        figure = self._figure
        if figure is None:
            return _word(self._place, width, height, palette)
        if figure.problem:
            return _word(figure.problem, width, height, palette)
        try:
            return self._draw(figure, width, height, palette)
        except FigureError as error:
            return _word(f"{figure.event.name} can't be shown: {error}", width, height, palette)
        except Exception as error:  # whatever is in a file, it must not take the screen down
            return _word(f"{figure.event.name} can't be shown: {type(error).__name__}", width, height, palette)

    def _draw(self, figure: LoadedFigure, width: int, height: int, palette: Palette) -> list[Strip]:
        kind, arrays = figure.event.kind, figure.arrays
        with np.errstate(all="ignore"):
            if kind in _CELL_PICTURES:
                return _CELL_PICTURES[kind](arrays, width, height, palette).strips()
            if kind == "metrics":
                curves, marks, look = self._run_curves(words(arrays, "keys"))
            elif kind == "curve":
                curves, marks = fitted_curves(arrays)
                look = Look(scale="number", marker=self.marker)
            else:
                raise FigureError(f"this dltui knows no pictures of kind '{narrow(kind, 40)}'")
            return drawing_strips(draw_chart(curves, marks, width, height, look), palette)


def _word(text: str, width: int, height: int, palette: Palette) -> list[Strip]:
    cells = Cells(width, height, palette)
    lines = textwrap.wrap(narrow(text), max(1, width - 2))[:height]
    for row, line in enumerate(lines, (height - len(lines)) // 2):
        cells.put(row, max(0, (width - len(line)) // 2), line, palette.muted)
    return cells.strips()

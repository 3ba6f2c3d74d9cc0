"""A picture made of character cells: text, colours, and two pixels per cell by half blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from textual.strip import Strip

from tui.widgets.narrow import narrow
from tui.widgets.palette import Palette, Rgb, style_of

Pixels = NDArray[np.uint8]


class Cells:
    """`height` rows of `width` cells. What is put outside of them is left out."""

    def __init__(self, width: int, height: int, palette: Palette) -> None:
        self.width, self.height, self.palette = max(0, width), max(0, height), palette
        self.chars = [[" "] * self.width for _ in range(self.height)]
        self.inks: list[list[Rgb | None]] = [[None] * self.width for _ in range(self.height)]
        self.papers: list[list[Rgb | None]] = [[None] * self.width for _ in range(self.height)]
        self.bold: set[tuple[int, int]] = set()

    def put(
        self, row: int, column: int, text: str, ink: Rgb | None = None, paper: Rgb | None = None, bold: bool = False
    ) -> None:
        """Write `text`; without `paper` what lies behind stays."""
        if not 0 <= row < self.height:
            return
        for at, char in enumerate(narrow(text), column):
            if 0 <= at < self.width:
                self.chars[row][at] = char
                self.inks[row][at] = ink or self.palette.foreground
                if paper is not None:
                    self.papers[row][at] = paper
                if bold:
                    self.bold.add((row, at))

    def put_pixels(self, row: int, column: int, pixels: Pixels, drawn: NDArray[np.bool_] | None = None) -> None:
        """Put a picture (H, W, 3), two rows of pixels per row of cells; an odd last row is half a cell.

        Args:
            row: The cell of the first row of pixels.
            column: The cell of the first column.
            pixels: Colours from 0 to 255.
            drawn: (H, W) which of them there are; what lies behind the others stays. All, if it is not given.
        """
        if drawn is None:
            drawn = np.ones(pixels.shape[:2], dtype=bool)
        if len(pixels) % 2:
            pixels, drawn = np.pad(pixels, ((0, 1), (0, 0), (0, 0))), np.pad(drawn, ((0, 1), (0, 0)))
        for line in range(max(0, -row), min(len(pixels) // 2, self.height - row)):
            pair = slice(2 * line, 2 * line + 2)
            uppers, lowers = pixels[pair].tolist()
            for at, (is_upper, is_lower) in enumerate(drawn[pair].T.tolist()):
                if (is_upper or is_lower) and 0 <= column + at < self.width:
                    upper = tuple(uppers[at]) if is_upper else None
                    self._put_pair(row + line, column + at, upper, tuple(lowers[at]) if is_lower else None)

    def _put_pair(self, row: int, column: int, upper: Rgb | None, lower: Rgb | None) -> None:
        # a cell of one colour is a blank: it reads better where colours are few
        self.chars[row][column] = " " if upper == lower else "▄" if upper is None else "▀"
        self.inks[row][column] = lower if upper is None else upper
        self.papers[row][column] = None if upper is None else lower

    def paper_at(self, row: int, column: int) -> Rgb | None:
        """The colour behind a cell; for a cell of pixels its lower one."""
        return self.papers[row][column] if 0 <= row < self.height and 0 <= column < self.width else None

    def strips(self) -> list[Strip]:
        """The picture as Textual draws it."""
        return [self._strip(row) for row in range(self.height)]

    def text(self) -> str:
        """The picture without its colours."""
        return "\n".join("".join(row) for row in self.chars)

    def _strip(self, row: int) -> Strip:
        chars, looks = self.chars[row], list(zip(self.inks[row], self.papers[row], strict=True))
        bold = [(row, at) in self.bold for at in range(self.width)]
        segments, start = [], 0
        for at in range(1, self.width + 1):
            if at == self.width or looks[at] != looks[start] or bold[at] != bold[start]:
                segments.append(Segment("".join(chars[start:at]), style_of(*looks[start], bold[start])))
                start = at
        return Strip(segments, self.width)

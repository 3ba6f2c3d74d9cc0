"""Curves as dots, several to a character: what is dear about drawing lines, done by NumPy."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tui.widgets.braille import BLANK, DOTS
from tui.widgets.curves import Floats, Role
from tui.widgets.extents import Marker

RAW = (Role.RAW_TRAIN, Role.RAW_VAL)
"""Curves that only lie behind: where another one passes, they give way."""

_ROLES = tuple(Role)
"""By number: asking the enumeration for each dot is dear."""
_BITS: dict[Marker, tuple[tuple[int, ...], ...]] = {
    "braille": DOTS,
    "hd": ((1, 2), (4, 8)),
    "dot": ((1,),),
}
"""The bit of each dot of a character, from the top."""
_CHARS: dict[Marker, str] = {
    "braille": "".join(chr(BLANK + bits) for bits in range(256)),
    "hd": " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█",
    "dot": " •",
}


class Cell(NamedTuple):
    """One character of a curve."""

    column: int
    row: int
    """From the bottom, as plotext counts."""
    char: str
    role: Role


class Raster:
    """`columns` times `lines` characters, each made of the dots that its marker has."""

    def __init__(self, columns: int, lines: int, marker: Marker) -> None:
        self._bits_of = np.array(_BITS[marker], dtype=np.uint8)
        self._chars = _CHARS[marker]
        self.down, self.across = len(_BITS[marker]), len(_BITS[marker][0])
        self.columns, self.lines = max(0, columns), max(0, lines)
        self._bits = np.zeros((self.lines, self.columns), dtype=np.uint8)
        self._roles = np.zeros((self.lines, self.columns), dtype=np.uint8)

    @property
    def end_dots(self) -> float:
        """The share of the height from an end to the nearest of the middle dots of the line there, beside its tick."""
        return (self.down - 1) // 2 / (self.lines * self.down - 1) if self.lines > 1 else 0.0

    def column(self, x: float) -> int:
        """The column that holds a dot at x, from 0 to 1."""
        return _dot(x, self.columns * self.across) // self.across

    def line(self, y: float) -> int:
        """The line, from the top, that holds a dot at y, from 0 to 1."""
        return self.lines - 1 - _dot(y, self.lines * self.down) // self.down

    def add(self, x: Floats, y: Floats, role: Role) -> None:
        """Join the points (x, y), each from 0 to 1, by lines over what is there."""
        if not len(x) or not self._bits.size:
            return
        across, up = _joined(_dots(x, self.columns * self.across), _dots(y, self.lines * self.down))
        down = self.lines * self.down - 1 - up
        drawn = np.zeros_like(self._bits)
        at = (down // self.down, across // self.across)
        np.bitwise_or.at(drawn, at, self._bits_of[down % self.down, across % self.across])
        touched = drawn > 0
        if role not in RAW:
            # two curves in one character share it, in the colour of the later one
            shared = touched & ~np.isin(self._roles, RAW)
            drawn[shared] |= self._bits[shared]
        self._bits[touched], self._roles[touched] = drawn[touched], role

    def cells(self) -> list[Cell]:
        """All characters with a dot."""
        lines, columns = np.nonzero(self._bits)
        chars = [self._chars[bits] for bits in self._bits[lines, columns].tolist()]
        roles = [_ROLES[role] for role in self._roles[lines, columns].tolist()]
        rows = (self.lines - 1 - lines).tolist()
        return list(map(Cell._make, zip(columns.tolist(), rows, chars, roles, strict=True)))


def _dot(share: float, dots: int) -> int:
    return math.floor(0.5 + (dots - 1) * min(1.0, max(0.0, share)))


def _dots(shares: Floats, dots: int) -> NDArray[np.int64]:
    return np.floor(0.5 + (dots - 1) * np.clip(shares, 0, 1)).astype(np.int64)


def _joined(x: NDArray[np.int64], y: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All dots on the way from each point to the next, without holes."""
    dx, dy = np.diff(x), np.diff(y)
    counts = np.maximum(np.abs(dx), np.abs(dy))
    which = np.repeat(np.arange(len(counts)), counts)
    before = np.repeat(np.cumsum(counts) - counts, counts)
    share = (np.arange(len(which)) - before) / counts[which]
    on_x = x[which] + np.rint(share * dx[which]).astype(np.int64)
    on_y = y[which] + np.rint(share * dy[which]).astype(np.int64)
    return np.append(on_x, x[-1]), np.append(on_y, y[-1])

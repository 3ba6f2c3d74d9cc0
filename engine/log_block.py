"""Lines of a log, and where their commas stand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.numerals import MARGIN

_KIND_AT = len(b'{"event":"')
_STEPS_AT = len(b'{"event":"RowsLogged","steps":')
NO_ROWS, ALONE, STEADY, LISTED = -1, 0, 1, 2
"""Forms of lines: none of rows; one row; several that cover as many steps at the same learning rate; any others."""


class LogBlock:
    """Whole lines; places are those in `text`.

    Args:
        lines: The lines, each with its end.
    """

    def __init__(self, lines: bytes) -> None:
        self.text = b"".join([bytes(MARGIN), lines, bytes(MARGIN)])
        self.letters = np.frombuffer(self.text, np.uint8)
        is_mark = self.letters == ord(",")
        is_mark |= self.letters == ord("\n")
        self.marks = np.flatnonzero(is_mark)
        """(marks,) where commas and line ends stand."""
        self.last_marks = np.flatnonzero(self.letters[self.marks] == ord("\n"))
        """(lines,) which mark ends each."""
        self.first_marks = np.append(0, self.last_marks[:-1] + 1)
        """(lines,) which mark is the first of each."""
        self.ends = self.marks[self.last_marks] + 1
        """(lines,) behind their last characters."""
        self.starts = np.append(MARGIN, self.ends[:-1])
        """(lines,)"""
        self.forms = self._forms()
        """(lines,) what they are, if they are what they begin as."""

    def _forms(self) -> NDArray[np.int8]:
        # no other event's name begins with an M, or with an R and has a w at that place
        first, third, steps = (
            self.letters.take(self.starts + at, mode="clip") for at in (_KIND_AT, _KIND_AT + 2, _STEPS_AT)
        )
        forms = np.full(len(self.starts), NO_ROWS, np.int8)
        forms[first == ord("M")] = ALONE
        is_together = (first == ord("R")) & (third == ord("w"))
        forms[is_together] = STEADY
        forms[is_together & (steps == ord("["))] = LISTED
        return forms

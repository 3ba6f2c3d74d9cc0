"""Lines of a log, and where their commas stand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.columns import Ints
from engine.numerals import MARGIN


class LogBlock:
    """Whole lines; places are those in `text`.

    Args:
        lines: The lines, each with its end; at least one.
    """

    def __init__(self, lines: bytes | memoryview) -> None:
        self.text = b"".join([bytes(MARGIN), lines])
        self.letters = np.frombuffer(self.text, np.uint8)
        is_mark = self.letters == ord(",")
        is_mark |= self.letters == ord("\n")
        self.marks = np.flatnonzero(is_mark)
        """(marks,) where commas and line ends stand."""
        self.last_marks = np.flatnonzero(self.letters.take(self.marks) == ord("\n"))
        """(lines,) which mark ends each."""
        self.first_marks = np.append(0, self.last_marks[:-1] + 1)
        """(lines,) which mark is the first of each."""
        self.ends = self.marks.take(self.last_marks) + 1
        """(lines,) behind their last characters."""
        self.starts = np.append(MARGIN, self.ends[:-1])
        """(lines,)"""

    @property
    def is_framed(self) -> bool:
        """As `are_framed` says."""
        return are_framed(self.letters, self.starts, self.ends)


def are_framed(letters: NDArray[np.uint8], starts: Ints, ends: Ints) -> bool:
    """Whether each line begins and ends with a brace.

    No value reaches over such a line's end: if there are as many values as lines, each line is one.

    Args:
        letters: What they stand in.
        starts: (lines,) their first characters.
        ends: (lines,) behind their line ends.
    """
    return bool((letters.take(starts) == ord("{")).all() and (letters.take(ends - 2) == ord("}")).all())

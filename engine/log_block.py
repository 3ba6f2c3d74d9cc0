"""Lines of a log, and where their commas stand."""

from __future__ import annotations

import numpy as np

from engine.numerals import MARGIN


class LogBlock:
    """Whole lines; places are those in `text`.

    Args:
        lines: The lines, each with its end; at least one.
    """

    def __init__(self, lines: bytes | memoryview) -> None:
        self.text = b"".join([bytes(MARGIN), lines, bytes(MARGIN)])
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
        """Whether each line begins and ends with a brace."""
        begins, ends = self.letters.take(self.starts), self.letters.take(self.ends - 2)
        return bool((begins == ord("{")).all() and (ends == ord("}")).all())

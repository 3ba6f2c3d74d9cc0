"""Rows of a log that differ in nothing but their numbers, read as a table: no Python for each of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.columns import Columns, Floats, Ints
from engine.event_lines import MOST_NUMBERS
from engine.line_sorts import ALONE, AT, ELAPSED_S, MOST_OF_SECONDS, VALUES, Layout, LineSorts

EXACT = 1 << 53
"""Whole numbers up to here are floats, and a quotient with a power of ten up to 1e22 is rounded as it should be."""
_POWERS = 10 ** np.arange(19)
_LAST = np.array([0x0F0F0F0F0F0F0F0F >> 8 * n << 8 * n for n in range(8, -1, -1)], "<u8")
"""The bits of a word of eight characters that say what its last so many are worth as digits."""
_BEFORE_STEPS = b'{"event":"RowsLogged","steps":'


class RowTable:
    """Reads lines as an engine writes rows of the metrics `keys`, each for itself or several together.

    Lines of as many rows are the same but for digits, and signs of values: without these, the same must be left of
    each. Then numbers are where they should be if runs of digits are as far from each other as in a line of zeros.
    Numbers that are not written in a few digits, or not exact as floats, are not read here.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys, self._sorts = tuple(keys), LineSorts(keys)

    def columns(self, block: bytes, line_ends: Ints) -> tuple[Columns, Ints] | None:
        """What lines say, and the number of rows in each; None unless each is a line that is read here.

        Args:
            block: The lines.
            line_ends: (lines,) behind their last characters.
        """
        rest = block.translate(None, self._sorts.varying)
        sorts = self._sorts_of(block, rest, line_ends)
        if sorts is None:
            return None
        layout = self._sorts.layout(sorts)
        letters = np.frombuffer(block, np.uint8)
        is_digit = letters - np.uint8(ord("0")) < 10
        edges = np.flatnonzero(is_digit[1:] != is_digit[:-1])
        if rest != layout.rest or len(edges) != 2 * len(layout.roles):
            return None
        starts, ends = edges[::2] + 1, edges[1::2] + 1
        widths = ends - starts
        minus = _minus_signs(letters, starts, ends, layout)
        if minus is None or not self._are_numbers(block, starts, widths, layout):
            return None
        numbers = _whole_numbers(block, ends, widths)
        floats = _floats(numbers, widths, layout.floats)
        if floats is None:
            return None
        floats[np.searchsorted(layout.floats, minus)] *= -1
        role_of, counts = layout.roles[layout.floats], np.maximum(sorts // 2, 1)
        rates = _of_each_row(layout.rates, counts, sorts)
        table = Columns(
            steps=numbers[layout.steps],
            at=floats[role_of == AT].repeat(counts),
            elapsed_s=floats[role_of == ELAPSED_S],
            values={key: floats[role_of == VALUES + 2 * number] for number, key in enumerate(self._keys)},
            lr=lambda row: float(block[starts[rates[row]] : ends[rates[row] + 1]]),
        )
        return table, counts

    def _sorts_of(self, block: bytes, rest: bytes, line_ends: Ints) -> Ints | None:
        """The sort of each line; None where that can't be."""
        if rest == self._sorts.rest_of(ALONE) * len(line_ends):
            return np.full(len(line_ends), ALONE)
        letters, begins = np.frombuffer(block, np.uint8), np.append(0, line_ends[:-1])
        kinds, steps = (letters.take(begins + len(before), mode="clip") for before in (b'{"event":"', _BEFORE_STEPS))
        is_listed = (steps == ord("[")).astype(np.int64)
        widths = np.array([len(self._sorts.rest_of(sort)) for sort in range(2, 6)]).reshape(2, 2)
        one, more = widths[0], widths[1] - widths[0]
        lengths = np.diff(np.flatnonzero(np.frombuffer(rest, np.uint8) == ord("\n")), prepend=-1)
        rows = 1 + (lengths - one[is_listed]) // more[is_listed]
        sorts = np.where(kinds == ord("M"), ALONE, 2 * rows + is_listed)
        most = MOST_NUMBERS // (len(self._keys) + 4)  # an engine writes no longer lines
        return sorts if sorts.min() >= 0 and sorts.max() // 2 <= most else None

    def _are_numbers(self, block: bytes, starts: Ints, widths: Ints, layout: Layout) -> bool:
        """Whether none is too long or begins with a zero that does not count, and digits in names are the names'."""
        # only digits of names may be fewer than those of seconds, and they are looked at below
        if widths.max() > MOST_OF_SECONDS and (widths > self._sorts.most[layout.roles]).any():
            return False
        long = starts[layout.begins & (widths > 1)]
        if (np.frombuffer(block, np.uint8)[long] == ord("0")).any():
            return False
        for role, name in enumerate(self._sorts.named, self._sorts.first_named):
            runs = np.flatnonzero(layout.roles == role)
            if (widths[runs] != len(name)).any():  # from here on a block is at least as long as a name
                return False
            texts = np.ndarray((len(block) - len(name) + 1,), f"S{len(name)}", block, strides=(1,))
            if (texts[starts[runs]] != name).any():
                return False
        return True


def _minus_signs(letters: NDArray[np.uint8], starts: Ints, ends: Ints, layout: Layout) -> Ints | None:
    """The runs that a sign stands before. None where more than the sign of a value stands between two runs."""
    if ends[-1] + layout.after != len(letters):
        return None
    gaps = np.append(starts[0], starts[1:] - ends[:-1])
    at = np.flatnonzero(gaps != layout.gaps)
    if not len(at):
        return at
    is_sign = (gaps[at] == layout.gaps[at] + 1) & (letters[starts[at] - 1] == ord("-"))
    is_value = (layout.roles[at] >= VALUES) & np.isin(at, layout.floats)
    return at if (is_sign & is_value).all() else None


def _of_each_row(rates: Ints, counts: Ints, sorts: Ints) -> Ints:
    """Which of the runs `rates` each row has: those of a line share one, or have one each."""
    is_listed = sorts % 2 > 0
    return rates.repeat(np.where(is_listed, 1, counts).repeat(np.where(is_listed, counts, 1)))


def _floats(numbers: Ints, widths: Ints, first: Ints) -> Floats | None:
    """The floats whose digits before the point are the runs `first`. None where one is not exact."""
    decimals = widths[first + 1]
    if (widths[first] + decimals).max() >= len(_POWERS):
        return None
    power = _POWERS[decimals]
    whole = numbers[first] * power
    whole += numbers[first + 1]
    return None if whole.max() > EXACT else whole / power


def _whole_numbers(block: bytes, ends: Ints, widths: Ints) -> Ints:
    """Numbers of up to sixteen digits, by where they end and how wide they are; longer ones are cut off in front."""
    numbers = _last_digits(block, ends, widths)
    wide = np.flatnonzero(widths > 8)
    if len(wide):
        numbers[wide] += 10**8 * _last_digits(block, ends[wide] - 8, widths[wide] - 8)
    return numbers


def _last_digits(block: bytes, ends: Ints, widths: Ints) -> Ints:
    """What up to eight digits are worth, which are one word: pairs are summed up, then pairs of pairs."""
    words = np.ndarray((len(block) - 7,), "V8", block, strides=(1,))
    word = words[ends - 8].view("<u8")
    word &= _LAST.take(widths, mode="clip")
    for kind, ten in (("<u2", 10), ("<u4", 100), ("<u8", 10_000)):
        halves = word.view(kind)
        half_bits = 4 * halves.itemsize
        halves *= halves.dtype.type(ten << half_bits | 1)
        halves >>= halves.dtype.type(half_bits)
    numbers: Ints = word.view(np.int64)
    return numbers

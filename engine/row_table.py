"""Rows of a log that differ in nothing but their numbers, read as a table: no Python for each of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.columns import Columns, Floats, Ints
from engine.event_lines import MOST_NUMBERS
from engine.line_sorts import ALONE, AT, ELAPSED_S, LR, STEP, STEPS, VALUES, Layout, LineSorts, Roles

MOST_DIGITS = 16
"""Of a number, before and after the point; two words hold them."""
MOST_OF_SECONDS = 10
"""Digits before the point: whatever has no more is a valid time."""
MOST_UNREAD = 18
"""Digits of a count that is not worked out here: whatever has no more is valid."""
MOST_OF_LR = 300
"""Digits of learning rates, of which the last alone is worked out: schedules make them as long as floats can be."""
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
        roles = self._sorts.first_named + len(self._sorts.named)
        floats = [ELAPSED_S, AT, *range(VALUES, self._sorts.first_named, 2)]
        self._is_float, self._is_first = np.zeros((2, roles), np.bool_)
        self._is_float[floats] = self._is_first[[*floats, STEPS, LR, STEP]] = True
        self._most = np.full(roles, MOST_DIGITS)
        self._most[[ELAPSED_S, AT]], self._most[STEPS], self._most[[LR, LR + 1]] = (
            MOST_OF_SECONDS,
            MOST_UNREAD,
            MOST_OF_LR,
        )
        self._most[self._sorts.first_named :] = [len(name) for name in self._sorts.named]

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
        letters, roles = np.frombuffer(block, np.uint8), layout.roles
        is_digit = letters - np.uint8(ord("0")) < 10
        edges = np.flatnonzero(is_digit[1:] != is_digit[:-1])
        if rest != layout.rest or len(edges) != 2 * len(roles):
            return None
        starts, ends = edges[::2] + 1, edges[1::2] + 1
        widths = ends - starts
        minus = self._minus_signs(letters, starts, ends, layout, line_ends)
        if minus is None or not self._are_numbers(block, starts, widths, roles):
            return None
        first = np.flatnonzero(self._is_float[roles])
        floats = _floats(block, ends, widths, first)
        if floats is None:
            return None
        floats[np.searchsorted(first, minus)] *= -1
        role_of, counts, steps = roles[first], np.maximum(sorts // 2, 1), np.flatnonzero(roles == STEP)
        rates = _of_each_row(np.flatnonzero(roles == LR), counts, sorts)
        table = Columns(
            steps=_whole_numbers(block, ends[steps], widths[steps]),
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

    def _minus_signs(
        self, letters: NDArray[np.uint8], starts: Ints, ends: Ints, layout: Layout, line_ends: Ints
    ) -> Ints | None:
        """The runs that a sign stands before. None where more than the sign of a value stands between two runs."""
        if (ends[layout.last] + layout.after != line_ends).any():
            return None
        gaps, first = np.empty_like(starts), layout.last[:-1] + 1
        np.subtract(starts[1:], ends[:-1], out=gaps[1:])
        gaps[0], gaps[first] = starts[0], starts[first] - line_ends[:-1]
        gaps -= layout.gaps
        at = np.flatnonzero(gaps)
        roles = layout.roles[at]
        is_sign = (gaps[at] == 1) & (letters[starts[at] - 1] == ord("-"))
        return at if (is_sign & (roles >= VALUES) & self._is_float[roles]).all() else None

    def _are_numbers(self, block: bytes, starts: Ints, widths: Ints, roles: Roles) -> bool:
        """Whether none is too long or begins with a zero that does not count, and digits in names are the names'."""
        if (widths > self._most[roles]).any():
            return False
        long = np.flatnonzero(widths > 1)
        begin_with_zero = np.frombuffer(block, np.uint8)[starts[long]] == ord("0")
        if (begin_with_zero & self._is_first[roles[long]]).any():
            return False
        for role, name in enumerate(self._sorts.named, self._sorts.first_named):
            texts = np.ndarray((len(block) - len(name) + 1,), f"S{len(name)}", block, strides=(1,))
            if (texts[starts[roles == role]] != name).any():
                return False
        return True


def _of_each_row(rates: Ints, counts: Ints, sorts: Ints) -> Ints:
    """Which of the runs `rates` each row has: those of a line share one, or have one each."""
    is_listed = sorts % 2 > 0
    return rates.repeat(np.where(is_listed, 1, counts).repeat(np.where(is_listed, counts, 1)))


def _floats(block: bytes, ends: Ints, widths: Ints, first: Ints) -> Floats | None:
    """The numbers whose digits before the point are the runs `first`. None where one is not exact."""
    decimals = widths[first + 1]
    if (widths[first] + decimals).max() >= len(_POWERS):
        return None
    power = _POWERS[decimals]
    whole = _whole_numbers(block, ends[first], widths[first]) * power
    whole += _whole_numbers(block, ends[first + 1], decimals)
    return None if whole.max() > EXACT else whole / power


def _whole_numbers(block: bytes, ends: Ints, widths: Ints) -> Ints:
    """Numbers of up to `MOST_DIGITS` digits, by where they end and how wide they are."""
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

"""Rows of a log that differ in nothing but their numbers, read as a table: no Python for each of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine import events as ev

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
_DIGITS = re.compile(rb"[0-9]+")
_LAST = np.array([0x0F0F0F0F0F0F0F0F >> 8 * n << 8 * n for n in range(8, -1, -1)], "<u8")
"""The bits of a word of eight characters that say what its last so many are worth as digits."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Columns(NamedTuple):
    """What one `MetricsLogged` after another says: (rows,) each."""

    steps: Ints
    at: Floats
    elapsed_s: Floats
    values: dict[str, Floats]
    """NaN where a value was not finite."""
    lr: Callable[[int], float]
    """That of a row."""


class RowTable:
    """Reads lines as `ev.encode` writes `MetricsLogged` of the metrics `keys`.

    All are the same but for digits, and signs of values: without these, the same must be left of each line. Then
    numbers are where they should be if runs of digits are as far from each other as in a line of zeros. Numbers that
    are not written in a few digits, or not exact as floats, are not read here.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        line, runs, value_runs = _line_of_zeros(keys)
        spans = [match.span() for match in _DIGITS.finditer(line)]
        wholes = [runs["elapsed_s"], runs["at"], *value_runs]
        unread = [runs["steps"], runs["lr"], runs["lr"] + 1]
        self._keys = tuple(keys)
        self._varying = b"0123456789" + b"-" * (b"-" not in line)
        self._rest = line.translate(None, self._varying)
        self._before = np.array([[start - end] for (_, end), (start, _) in pairwise([(0, 0), *spans])])
        """How far each run is from the end of the one before it in its line, or from where the line begins."""
        self._after = len(line) - spans[-1][1]
        self._floats = len(wholes)
        self._read = np.array([*wholes, *(run + 1 for run in wholes), runs["step"]])
        self._firsts = [*wholes, *unread[:2], runs["step"]]
        self._lr, self._values = runs["lr"], value_runs
        numbers = {*self._read.tolist(), *unread}
        self._named = {run: line[slice(*span)] for run, span in enumerate(spans) if run not in numbers}
        """Digits that stand in names."""
        self._most = np.full(len(spans), MOST_DIGITS)
        self._most[wholes[:2]] = MOST_OF_SECONDS
        self._most[unread] = MOST_UNREAD, MOST_OF_LR, MOST_OF_LR
        for run, name in self._named.items():
            self._most[run] = len(name)

    def columns(self, block: bytes) -> Columns | None:
        """What whole lines say; None unless each is a row that is read here."""
        rest = block.translate(None, self._varying)
        count = len(rest) // len(self._rest)
        if not count or rest != self._rest * count:
            return None
        letters = np.frombuffer(block, np.uint8)
        is_digit = letters - np.uint8(ord("0")) < 10
        edges = np.flatnonzero(is_digit[1:] != is_digit[:-1])
        if len(edges) != 2 * len(self._before) * count:
            return None
        by_run = edges.reshape(count, -1).T + 1
        starts, ends = by_run[::2], by_run[1::2]
        widths = ends - starts
        most = widths.max(1)
        signs = self._signs(letters, starts, ends)
        if signs is None or (most > self._most).any() or not self._are_numbers(block, letters, starts, widths):
            return None
        widths, most = widths[self._read], most[self._read]
        if (most[: self._floats] + most[self._floats : -1]).max() >= len(_POWERS):
            return None
        numbers = _whole_numbers(block, ends[self._read], widths)
        power = _POWERS[widths[self._floats : -1]]
        whole = numbers[: self._floats] * power
        whole += numbers[self._floats : -1]
        if whole.max() > EXACT:
            return None
        elapsed_s, at, *values = whole / power
        return Columns(
            steps=numbers[-1],
            at=at,
            elapsed_s=elapsed_s,
            values={key: signs.get(key, 1) * column for key, column in zip(self._keys, values, strict=True)},
            lr=lambda row: float(block[starts[self._lr, row] : ends[self._lr + 1, row]]),
        )

    def _signs(self, letters: NDArray[np.uint8], starts: Ints, ends: Ints) -> dict[str, Ints] | None:
        """Signs of the metrics that have any. None where more than a sign stands between two runs of digits."""
        before = np.empty_like(starts)
        np.subtract(starts[1:], ends[:-1], out=before[1:])
        np.subtract(starts[0, 1:], ends[-1, :-1] + self._after, out=before[0, 1:])
        before[0, 0] = starts[0, 0] + len(letters) - ends[-1, -1] - self._after
        if (before == self._before).all():
            return {}
        more = before - self._before
        runs, rows = np.nonzero(more)
        is_sign = (more[runs, rows] == 1) & (letters[starts[runs, rows] - 1] == ord("-")) & np.isin(runs, self._values)
        if not is_sign.all():
            return None
        return {key: 1 - 2 * more[run] for key, run in zip(self._keys, self._values, strict=True)}

    def _are_numbers(self, block: bytes, letters: NDArray[np.uint8], starts: Ints, widths: Ints) -> bool:
        """Whether no number begins with a zero that does not count, and all digits in names are those of the names."""
        for run, name in self._named.items():
            texts = np.ndarray((len(block) - len(name) + 1,), f"S{len(name)}", block, strides=(1,))
            if (texts[starts[run]] != name).any():
                return False
        begin_with_zero = letters[starts[self._firsts]] == ord("0")
        return not (begin_with_zero & (widths[self._firsts] > 1)).any()


def _whole_numbers(block: bytes, ends: Ints, widths: Ints) -> Ints:
    """Numbers of up to `MOST_DIGITS` digits, eight of which are one word: pairs are summed up, then pairs of pairs."""
    words = np.ndarray((len(block) - 7,), "V8", block, strides=(1,))
    word = words[ends - 8].view("<u8")
    word &= _LAST.take(widths, mode="clip")
    for kind, ten in (("<u2", 10), ("<u4", 100), ("<u8", 10_000)):
        halves = word.view(kind)
        half_bits = 4 * halves.itemsize
        halves *= halves.dtype.type(ten << half_bits | 1)
        halves >>= halves.dtype.type(half_bits)
    numbers: Ints = word.view(np.int64)
    for run in np.flatnonzero(widths.max(1) > 8):
        more = np.maximum(widths[run] - 8, 0)[None]
        numbers[run] += 10**8 * _whole_numbers(block, ends[run][None] - 8, more)[0]
    return numbers


def _line_of_zeros(keys: Sequence[str]) -> tuple[bytes, dict[str, int], list[int]]:
    """A row whose numbers are zeros, and which run of digits each begins with: by field, and those of the values."""
    line, runs, value_runs = b'{"event":"MetricsLogged"', dict[str, int](), list[int]()
    for field in msgspec.structs.fields(ev.MetricsLogged):
        line += b"," + msgspec.json.encode(field.name) + b":"
        if field.name == "values":
            for number, key in enumerate(keys):
                line += (b"," if number else b"{") + msgspec.json.encode(key) + b":"
                value_runs.append(len(_DIGITS.findall(line)))
                line += b"0.0"
            line += b"}"
        else:
            runs[field.name] = len(_DIGITS.findall(line))
            line += b"0" if field.name in ("step", "steps") else b"0.0"
    return line + b"}\n", runs, value_runs

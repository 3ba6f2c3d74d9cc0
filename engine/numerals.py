"""Numbers from their digits, many at once: eight characters are a word, and a word is read in a few operations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.columns import Floats, Ints

Bools = NDArray[np.bool_]
Words = NDArray[np.uint64]

MARGIN = 16
"""Characters of a pair of words. So many must stand before what is read, since it reaches over its beginning."""
_POWERS = 10 ** np.arange(MARGIN)
_LEAST = np.array([1 << 62, 0, *_POWERS[1:], 1 << 62])
"""What a number of so many digits is at least: less begins with a zero that does not count. What has no digits, or more
than are read, never is enough."""


def _word(byte: int) -> Any:
    return np.uint64(int.from_bytes(bytes([byte]) * 8, "little"))


_ZEROS, _ONES, _HIGH, _LOW, _OVER = _word(ord("0")), _word(0x01), _word(0x80), _word(0x7F), _word(0x80 - 10)
_POINT = np.uint64(ord(".") ^ ord("0"))
_BYTE, _BYTES, _ONE, _TOP, _ALL = (np.uint64(number) for number in (8, 56, 1, 7, 0xFF))
_LAST = np.array([(1 << 64) - (1 << 8 * (8 - n)) for n in range(9)], "<u8")
"""The bits of the last so many characters of a word."""


class Numerals:
    """Reads numbers of a text by where they begin and end; those of more than sixteen characters are not read here.

    Args:
        text: What they stand in, with `MARGIN` characters before the first.
    """

    def __init__(self, text: bytes) -> None:
        self._letters = np.frombuffer(text, np.uint8)
        self._has_minus = b"-" in text
        self._pairs = np.ndarray((len(text) - MARGIN + 1,), f"V{MARGIN}", text, strides=(1,))

    def counts(self, starts: Ints, ends: Ints) -> tuple[Ints, Bools]:
        """Whole numbers without a sign, and which of them are read."""
        widths = ends - starts
        first, last = self._words(ends, widths)
        are_digits = (_not_digits(first) | _not_digits(last)) == 0
        numbers = _worth(first, last)
        are_digits &= numbers >= _LEAST.take(widths, mode="clip")
        return numbers, are_digits

    def floats(self, starts: Ints, ends: Ints) -> tuple[Floats, Bools]:
        """Numbers written as digits, a point and digits, and which of them are read.

        A whole number of fifteen digits is a float, and its quotient with a power of ten is rounded as it should be.
        """
        widths = ends - starts
        if self._has_minus:
            is_minus = self._letters.take(starts) == ord("-")
            widths -= is_minus
        first, last = self._words(ends, widths)
        point_first, point_last, has_point = _points(first, last)
        after = MARGIN - 1 - _place(point_first) - (_place(point_last) & 7)  # the 8 of a last without one is none
        before = widths - 1 - after
        numbers = _worth(*_without_points(first, last, point_first, point_last))
        are_read: Bools = has_point & (after > 0) & (before > 0) & (widths <= MARGIN)
        are_read &= (before == 1) | (numbers >= _POWERS.take(widths - 2, mode="clip"))
        values = numbers / _POWERS.take(after, mode="clip")
        if self._has_minus:
            np.negative(values, out=values, where=is_minus)
        return values, are_read

    def _words(self, ends: Ints, widths: Ints) -> tuple[Words, Words]:
        """The last so many of the sixteen characters before `ends`, as what they are worth if they are digits.

        In pairs, as NumPy copies these faster than words, which it takes for numbers that lie askew.
        """
        pairs: Words = self._pairs[ends - MARGIN].view("<u8").reshape(-1, 2)
        first, last = pairs[:, 0] ^ _ZEROS, pairs[:, 1] ^ _ZEROS
        first &= _LAST.take(widths - 8, mode="clip")
        last &= _LAST.take(widths, mode="clip")
        return first, last


def _not_digits(words: Words) -> Words:
    """The highest bit of each character that is no digit."""
    over: Words = words & _LOW
    over += _OVER
    over |= words
    over &= _HIGH
    return over


def _points(first: Words, last: Words) -> tuple[Words, Words, Bools]:
    """The lowest bit of the character that is no digit, and whether it is the only one, and a point."""
    others_first, others_last = _not_digits(first), _not_digits(last)
    more = (others_first & (others_first - _ONE)) | (others_last & (others_last - _ONE))
    is_one: Bools = (more == 0) & ((others_first == 0) != (others_last == 0))
    others_first >>= _TOP
    others_last >>= _TOP
    character = (first & (others_first * _ALL)) | (last & (others_last * _ALL))
    is_one &= character == (others_first | others_last) * _POINT
    return others_first, others_last, is_one


def _without_points(first: Words, last: Words, point_first: Words, point_last: Words) -> tuple[Words, Words]:
    """The characters before the point move on by one, to where it stood."""
    to_last: Words = (point_last << _BYTE) - (point_last != 0)  # no bit of it if the point is in the first word
    to_first: Words = (point_first << _BYTE) - _ONE  # all bits of it if it is in the last
    moved_last: Words = ((last << _BYTE) | (first >> _BYTES)) & to_last
    moved_first: Words = (first << _BYTE) & to_first
    return moved_first | (first & ~to_first), moved_last | (last & ~to_last)


def _place(units: Words) -> Ints:
    """Which character's lowest bit is set; 8 if none is."""
    below = units - _ONE
    below &= _ONES
    below *= _ONES
    below >>= _BYTES
    return below.view(np.int64)


def _worth(first: Words, last: Words) -> Ints:
    """What sixteen digits are worth. The words are overwritten."""
    numbers = _worth_of_eight(first)
    numbers *= 10**8
    numbers += _worth_of_eight(last)
    return numbers


def _worth_of_eight(words: Words) -> Ints:
    """Pairs of digits are summed up, then pairs of pairs."""
    for kind, ten in (("<u2", 10), ("<u4", 100), ("<u8", 10_000)):
        halves = words.view(kind)
        half_bits = 4 * halves.itemsize
        halves *= halves.dtype.type(ten << half_bits | 1)
        halves >>= halves.dtype.type(half_bits)
    numbers: Ints = words.view(np.int64)
    return numbers

"""Files as bad disks, broken transfers and bad people leave them."""

from __future__ import annotations

import gc
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

NASTY = (
    *(b"\x00" * 8, b"\xff\xfe", b"\n", b"\n\n", b"\r\n", b"{", b"}", b"[" * 300, b'{"a":' * 300, b'"', b"\\ud800"),
    *(b"NaN", b"1e999", b"-1", b"9" * 400, b"18446744073709551616", b"-0.0", b"null", b"true", b"\x1b[2J"),
    *(b"a." * 40, b"[[", b"]]", b"'''", b'"""', b"inf", b"nan", b"1979-05-27", b"\xf0\x9f\xa6\x80", b"\xed\xa0\x80"),
)
"""Pieces that parsers stumble over."""
HANGS_AFTER_S = 60.0


def damaged(data: bytes, draw: random.Random, others: tuple[bytes, ...] = ()) -> bytes:
    """`data` with a few faults: bits flipped, parts cut out, doubled, moved, taken from `others`, nasty pieces put in.

    Args:
        data: A file that is whole.
        draw: Chooses the faults.
        others: Files to splice in pieces of.
    """
    for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
        data = draw.choice(_FAULTS)(data, draw, others or (data,))
    return data


def _flip(data: bytes, draw: random.Random, others: tuple[bytes, ...]) -> bytes:
    flipped = bytearray(data)
    for _ in range(min(len(data), draw.choice((1, 1, 2, 16)))):
        flipped[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(flipped)


def _overwrite(data: bytes, draw: random.Random, others: tuple[bytes, ...]) -> bytes:
    start = draw.randrange(len(data) + 1)
    piece = draw.randbytes(draw.choice((1, 2, 4, 8)))
    return data[:start] + piece + data[start + len(piece) :]


def _cut(data: bytes, draw: random.Random, others: tuple[bytes, ...]) -> bytes:
    start = draw.randrange(len(data) + 1)
    return data[:start] + data[start + draw.choice((1, 4, 64, len(data))) :]


def _double(data: bytes, draw: random.Random, others: tuple[bytes, ...]) -> bytes:
    start, end = sorted((draw.randrange(len(data) + 1), draw.randrange(len(data) + 1)))
    return data[:end] + data[start:end] * draw.choice((1, 1, 3)) + data[end:]


def _splice(data: bytes, draw: random.Random, others: tuple[bytes, ...]) -> bytes:
    other = draw.choice(others)
    return data[: draw.randrange(len(data) + 1)] + other[draw.randrange(len(other) + 1) :]


def _put(data: bytes, draw: random.Random, others: tuple[bytes, ...]) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.choice(NASTY) + data[at:]


_FAULTS: tuple[Callable[[bytes, random.Random, tuple[bytes, ...]], bytes], ...] = (
    _flip,
    _overwrite,
    _cut,
    _double,
    _splice,
    _put,
)


class Watch:
    """How long the slowest input took, in seconds of this thread's own work: other processes don't count.

    The promise is a second; the limit has some room, for slow machines.
    """

    def __init__(self) -> None:
        self.slowest_s = 0.0
        self.limit_s = 5.0

    @contextmanager
    def on(self, what: object) -> Iterator[None]:
        """Watch the work on `what`; it is ended if it never ends."""
        began_s = time.thread_time()
        before = signal.signal(signal.SIGALRM, _give_up)
        signal.setitimer(signal.ITIMER_REAL, HANGS_AFTER_S)
        gc.disable()  # what others left behind is not this input's work
        try:
            yield
        except BaseException as error:
            error.add_note(f"input: {what!r}"[:2000])
            raise
        finally:
            gc.enable()
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        took_s = time.thread_time() - began_s
        self.slowest_s = max(self.slowest_s, took_s)
        assert took_s < self.limit_s, f"{took_s:.2f} s for {what!r}"[:2000]

    def run(self, what: object, work: Callable[[], None]) -> None:
        """Watch `work`, and what takes long once more: a virtual machine may have been held up meanwhile."""
        before_s, self.slowest_s = self.slowest_s, 0.0
        with self.on(what):
            work()
        if self.slowest_s > 0.5:
            self.slowest_s = 0.0
            with self.on(what):
                work()
        self.slowest_s = max(self.slowest_s, before_s)


class Hang(BaseException):
    """Work that never ends; nothing that takes exceptions in its stride takes this."""


def _give_up(number: int, frame: FrameType | None) -> None:
    raise Hang(f"no end after {HANGS_AFTER_S:g} s")

"""Tracebacks that begin where a user's own code does."""

from __future__ import annotations

from collections.abc import Iterator
from traceback import FrameSummary, StackSummary, TracebackException
from typing import NamedTuple

from engine.custom_code import is_users
from engine.text import plain, plain_lines

LINES_AT_BOTH_ENDS = 100
"""Of a traceback so long that nobody reads its middle."""
LINE_CHARACTERS = 2000
"""Of a line that nobody reads to its end, such as a message with a whole tensor in it."""


class OwnTraceback(NamedTuple):
    """Where a user's code went wrong."""

    text: str
    """Frames from the first of the user's on, with those of the exceptions that led to it; several lines."""
    where: str
    """The last of the user's frames: `my_net.py, line 12, in forward`; empty if there is none."""


def own_traceback(error: BaseException) -> OwnTraceback:
    """The traceback of `error` without our own frames above the user's."""
    whole = TracebackException.from_exception(error)
    users = [frame for frame in whole.stack if is_users(frame.filename)]
    for part in _chain(whole, set()):
        _begin_with_users(part)
    where = f"{users[-1].filename.rpartition('/')[2]}, line {users[-1].lineno}, in {users[-1].name}" if users else ""
    return OwnTraceback(shortened("".join(whole.format())), plain(where))


def shortened(trace: str) -> str:
    """A traceback's lines, safe to show; the middle of a very long one is left out, and the ends of very long lines."""
    lines = [_cut(line) for line in plain_lines(trace).split("\n")]
    left_out = len(lines) - 2 * LINES_AT_BOTH_ENDS
    if left_out > 1:
        lines[LINES_AT_BOTH_ENDS:-LINES_AT_BOTH_ENDS] = [f"  … {left_out:,} lines left out …"]
    return "\n".join(lines)


def _cut(line: str) -> str:
    return line if len(line) <= LINE_CHARACTERS else f"{line[:LINE_CHARACTERS]}…"


def _chain(part: TracebackException | None, seen: set[int]) -> Iterator[TracebackException]:
    """`part` and all that led to it."""
    if part is None or id(part) in seen:
        return
    seen.add(id(part))
    yield part
    for other in (part.__cause__, part.__context__, *(part.exceptions or ())):
        yield from _chain(other, seen)


def _begin_with_users(part: TracebackException) -> None:
    """Leave out the frames above the user's first; all of them where none is the user's, as if a file can't be read."""
    frames: list[FrameSummary] = list(part.stack)
    first = next((place for place, frame in enumerate(frames) if is_users(frame.filename)), len(frames))
    part.stack = StackSummary.from_list(frames[first:])

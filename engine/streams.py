"""Standard streams of a command whose result somebody, or some program, reads."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

GONE = (errno.EPIPE, errno.EIO, errno.EBADF)
"""Errors of a stream that nobody reads any more."""


@contextmanager
def result_stream(is_for_program: bool) -> Iterator[TextIO]:
    """Where to write a result: standard output.

    Args:
        is_for_program: Whether nothing else may stand there. Then what is printed within goes to standard error, by
            whomever: a user's code, in Python or not, or a process that it starts.
    """
    if not is_for_program:
        yield sys.stdout
        return
    sys.stdout.flush()
    result = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        yield result
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os.dup2(result.fileno(), 1)
        result.close()


def write_result(text: str, stream: TextIO, end: str = "\n") -> None:
    """Write `text` and `end` at once. A reader that has gone is no error, and from then on nothing is written.

    Raises:
        OSError: it can't be written, as on a full disk.
    """
    try:
        print(text, file=stream, end=end, flush=True)
    except (OSError, ValueError) as error:
        discard(stream)
        if isinstance(error, OSError) and error.errno not in GONE:
            raise


def discard(*streams: TextIO) -> None:
    """Let what is still buffered go nowhere, or Python complains of it while it shuts down, and exits otherwise."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in streams:
            os.dup2(nowhere, stream.fileno())
        os.close(nowhere)

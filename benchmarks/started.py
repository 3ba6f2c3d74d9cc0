"""A program in a pseudo-terminal, of which only is known what it writes, and when."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType

COLUMNS, LINES = 140, 45


class Terminal:
    """Starts a program, and notes when it has written something. It answers none of the program's questions.

    Args:
        argv: The program and its arguments.
        environment: Laid over this process's own.
    """

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        settings = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
        full = {**os.environ, **settings, **(environment or {})}
        self._written = b""
        self._began_s = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
            os.execvpe(argv[0], [*argv], full)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._fd)

    def press(self, keys: bytes) -> None:
        """Send `keys`; what `seconds_until` then looks for has to come after them, and counts from them."""
        self._written = b""
        self._began_s = time.perf_counter()
        os.write(self._fd, keys)

    def seconds_until(self, pattern: bytes, within_s: float = 60.0) -> float:
        """Seconds from the start, or the last keys, until what came since then has `pattern` in it.

        Raises:
            TimeoutError: it has not come.
        """
        wanted = re.compile(pattern)
        while not wanted.search(self._written):
            left_s = self._began_s + within_s - time.perf_counter()
            if left_s <= 0 or not self._read(left_s):
                raise TimeoutError(f"{pattern!r} did not come, but {self._written[-2000:]!r}")
        return time.perf_counter() - self._began_s

    def rest(self, seconds: float) -> None:
        """Let it write for a while."""
        until_s = time.perf_counter() + seconds
        while (left_s := until_s - time.perf_counter()) > 0:
            self._read(left_s)

    def _read(self, within_s: float) -> bool:
        """Take what comes; False once there is nobody left to write."""
        with suppress(OSError):
            if select.select([self._fd], [], [], within_s)[0]:
                self._written += os.read(self._fd, 1 << 16)
            return True
        return False

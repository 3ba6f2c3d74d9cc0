"""A terminal with `dltui` in it: keys go in, and what a person would see comes out."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType

import pexpect
import pyte

DLTUI = [sys.executable, "-P", "-m", "tui.cli"]
KEYS = {
    "enter": "\r",
    "space": " ",
    "down": "\x1b[B",
    "f5": "\x1b[15~",
    "ctrl+c": "\x03",
    "ctrl+q": "\x11",
    "ctrl+u": "\x15",
}
# pyte draws these as text: the kitty keyboard protocol, which its parser does not know
_UNKNOWN_TO_PYTE = re.compile(r"\x1b\[[<>=][0-9;]*[a-zA-Z]")


class Screen:
    """A program in a pseudo-terminal, and its screen as text.

    Args:
        argv: Arguments of `program`.
        columns: Width.
        lines: Height.
        program: What to run, `dltui` unless told.
    """

    def __init__(
        self, argv: Sequence[str] = (), columns: int = 120, lines: int = 40, program: Sequence[str] = DLTUI
    ) -> None:
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
        for name in ("COLUMNS", "LINES", "NO_COLOR"):
            environment.pop(name, None)
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.Stream(self._screen)
        self._pending = ""
        self.process = pexpect.spawn(
            [*program, *argv][0],
            [*program, *argv][1:],
            env=environment,
            dimensions=(lines, columns),
            encoding="utf-8",
            codec_errors="replace",
            timeout=1,
        )

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the terminal; a program that does not go by itself is killed."""
        with suppress(pexpect.ExceptionPexpect):  # it was killed, and is not gone within a tenth of a second
            self.process.close(force=True)

    def press(self, *keys: str) -> None:
        """Send named keys, or text as it is."""
        for key in keys:
            self.process.send(KEYS.get(key, key))
            self.look(0.05)

    def look(self, seconds: float = 0.2) -> str:
        """The screen after what arrives within `seconds`."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            try:
                self._feed(self.process.read_nonblocking(65536, left_s))
            except pexpect.TIMEOUT:
                break
            except pexpect.EOF:
                break
        return "\n".join(line.rstrip() for line in self._screen.display)

    def wait_for(self, *patterns: str, within_s: float = 60) -> re.Match[str]:
        """Look until one of `patterns` is on the screen.

        Raises:
            AssertionError: none came; the message is the screen.
        """
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s:
            text = self.look(0.1)
            for pattern in patterns:
                if found := re.search(pattern, text):
                    return found
        raise AssertionError(f"{patterns} did not come within {within_s} s:\n{self.look(0)}")

    def wait_for_end(self, within_s: float = 30) -> int | None:
        """Let the program end, and give its exit status; None if a signal ended it."""
        until_s = time.monotonic() + within_s
        while self.process.isalive():
            assert time.monotonic() < until_s, f"still there after {within_s} s:\n{self.look(0)}"
            self.look(0.1)
        self.look(0.1)
        self.process.close()
        status: int | None = self.process.exitstatus
        return status

    def _feed(self, data: str) -> None:
        data = self._pending + data
        # an escape sequence that is not whole yet waits for its rest
        cut = data.rfind("\x1b", max(0, len(data) - 32))
        whole = cut < 0 or re.match(r"\x1b(\[[0-9;:<=>?$ ]*[@-~]|[^\[])", data[cut:])
        self._pending, data = ("", data) if whole else (data[cut:], data[:cut])
        self._stream.feed(_UNKNOWN_TO_PYTE.sub("", data))

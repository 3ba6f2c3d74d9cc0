"""`dltui` in terminals without a person: a pseudo-terminal whose output is stamped, and tmux."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple

import psutil

DLTUI = (sys.executable, "-P", "-m", "tui.cli")
LEAVE = b"\x11"  # ctrl+q
# pyte draws these as text: the kitty keyboard protocol, which its parser does not know
UNKNOWN_TO_PYTE = re.compile(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]")


class Output(NamedTuple):
    """What a terminal was sent, and when."""

    at_s: float
    data: bytes


class Pty:
    """A program in a pseudo-terminal that answers none of its questions. It is asked to leave at the end, then killed.

    Args:
        argv: Program and arguments.
        columns: Width.
        lines: Height.
    """

    def __init__(self, argv: Sequence[str], columns: int = 140, lines: int = 45) -> None:
        self.outputs: list[Output] = []
        self._written = b""
        self._began_s = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.execvpe(argv[0], [*argv], _environment())

    def __enter__(self) -> Pty:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(OSError):
            self.press(LEAVE)
            self.watch(2.0)
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.close(self._fd)
        os.waitpid(self.pid, 0)

    def press(self, keys: bytes) -> float:
        """Send keys, from which `seconds_until` counts then; returns when, as `time.perf_counter` counts."""
        self._written = b""
        self._began_s = time.perf_counter()
        os.write(self._fd, keys)
        return self._began_s

    def watch(self, seconds: float) -> None:
        """Take what arrives within `seconds`.

        Raises:
            OSError: the program has ended.
        """
        end_s = time.perf_counter() + seconds
        while (left_s := end_s - time.perf_counter()) > 0:
            self._take(left_s)

    def seconds_until(self, pattern: bytes, within_s: float = 60.0) -> float:
        """Seconds from the start, or the last keys, until what came since then has `pattern` in it.

        Raises:
            TimeoutError: it has not come.
            OSError: the program has ended.
        """
        wanted = re.compile(pattern)
        while not wanted.search(self._written):
            left_s = self._began_s + within_s - time.perf_counter()
            if left_s <= 0:
                raise TimeoutError(f"{pattern!r} did not come, but {self._written[-2000:]!r}")
            self._take(left_s)
        return time.perf_counter() - self._began_s

    def _take(self, within_s: float) -> None:
        if select.select([self._fd], [], [], within_s)[0]:
            data = os.read(self._fd, 1 << 16)
            self.outputs.append(Output(time.perf_counter(), data))
            self._written += data


class Tmux:
    """A program in a tmux session of its own, on a server of its own.

    Args:
        argv: Program and arguments.
        columns: Width.
        lines: Height.
    """

    def __init__(self, argv: Sequence[str], columns: int = 140, lines: int = 45) -> None:
        self._socket = f"dltui-benchmark-{os.getpid()}"
        size = ["-x", str(columns), "-y", str(lines)]
        self._tmux("-f", os.devnull, "new-session", "-d", *size, *argv, environment=_environment())
        self.pid = int(self._tmux("list-panes", "-F", "#{pane_pid}"))

    def __enter__(self) -> Tmux:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(subprocess.CalledProcessError):
            self._tmux("kill-server")

    def text(self) -> str:
        """What is on the screen."""
        return self._tmux("capture-pane", "-p")

    def wait_for(self, pattern: str, within_s: float = 60) -> None:
        """Look until `pattern` is on the screen.

        Raises:
            TimeoutError: it did not come; the message is the screen.
        """
        end_s = time.monotonic() + within_s
        while not re.search(pattern, text := self.text()):
            if time.monotonic() > end_s:
                raise TimeoutError(f"{pattern} did not come within {within_s} s:\n{text}")
            time.sleep(0.2)

    def _tmux(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        command = ["tmux", "-L", self._socket, *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


class Usage(NamedTuple):
    """What a process has used."""

    cpu_s: float
    memory_bytes: int

    @classmethod
    def of(cls, pid: int) -> Usage:
        """What process `pid` has used so far."""
        process = psutil.Process(pid)
        times = process.cpu_times()
        return cls(times.user + times.system, process.memory_info().rss)


def _environment() -> dict[str, str]:
    wanted = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR", "TMUX")}
    return {**kept, **wanted}

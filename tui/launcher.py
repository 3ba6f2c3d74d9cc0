"""Starts engine hosts: one process per run, in a session of its own, so that no terminal can take it along."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from engine.own_file import open_own, read_own
from engine.run_folder import RunFolder
from engine.text import plain

# -P keeps a file called engine.py in the working folder from being taken for the engine
HOST = (sys.executable, "-P", "-m", "engine.host")
CONSOLE_TAIL_BYTES = 8192


@dataclass(frozen=True)
class HostDeath:
    """A host that ended before it said anything."""

    folder: RunFolder
    reason: str
    """One line: the last that it printed, or its exit status."""


@dataclass
class _Spawned:
    folder: RunFolder
    process: subprocess.Popen[bytes]
    log_bytes: int
    """Size of the event log when the host was started."""
    was_warm: bool


class Launcher:
    """Spawns hosts, and keeps a warm one waiting that has imported torch already.

    The warm host ends by itself when this process does, because its standard input closes.
    """

    def __init__(self) -> None:
        self._warm: subprocess.Popen[bytes] | None = None
        self._keeps_warm = False
        self._spawned: list[_Spawned] = []

    def warm_up(self) -> None:
        """Have a warm host waiting from now on; harmless if there is one. Failing to start one is no error."""
        self._keeps_warm = True
        if self._warm is not None and self._warm.poll() is None:
            return
        with suppress(OSError):
            self._warm = _start("--warm", stdin=subprocess.PIPE)

    def spawn(self, folder: RunFolder) -> int:
        """Have `folder` trained, by the warm host if there is one; it goes on when this process ends.

        Returns:
            The host's pid.

        Raises:
            OSError: no process could be started.
        """
        log_bytes = _size(folder.path / "events.jsonl")
        process = self._hand_to_warm(folder)
        was_warm = process is not None
        if process is None:
            process = _start_cold(folder)
        self._spawned.append(_Spawned(folder, process, log_bytes, was_warm))
        if self._keeps_warm:
            self.warm_up()
        return process.pid

    def training(self) -> list[RunFolder]:
        """Runs whose hosts were started here and live."""
        return [spawned.folder for spawned in self._spawned if spawned.process.poll() is None]

    def deaths(self) -> list[HostDeath]:
        """Hosts that have died since the last call without having said anything.

        One that was warm is replaced by a cold one first: it may have died of old age.
        """
        deaths = []
        for spawned in list(self._spawned):
            code = spawned.process.poll()
            if code is None:
                continue
            self._spawned.remove(spawned)
            if code == 0 or _size(spawned.folder.path / "events.jsonl") > spawned.log_bytes:
                continue
            if spawned.was_warm and spawned.folder.holder() is None:
                with suppress(OSError):
                    process = _start_cold(spawned.folder)
                    self._spawned.append(_Spawned(spawned.folder, process, spawned.log_bytes, was_warm=False))
                    continue
            deaths.append(HostDeath(spawned.folder, last_words(spawned.folder) or f"exit status {code}"))
        return deaths

    def close(self) -> None:
        """Let the unused warm host go; hosts that train go on."""
        self._keeps_warm = False
        if self._warm is not None and self._warm.stdin is not None:
            with suppress(OSError):
                self._warm.stdin.close()
        self._warm = None

    def _hand_to_warm(self, folder: RunFolder) -> subprocess.Popen[bytes] | None:
        """Give `folder` to the warm host, which need not have finished importing; None if there is none to take it."""
        path = str(folder.path)
        if self._warm is None or self._warm.stdin is None or not path.isprintable() or path != path.strip():
            return None
        process, stdin, self._warm = self._warm, self._warm.stdin, None
        try:
            stdin.write(path.encode() + b"\n")
            stdin.close()
        except OSError:
            return None
        return process if process.poll() is None else None


def last_words(folder: RunFolder) -> str:
    """The last line that the run's process printed, or how it crashed; empty if there is none."""
    try:
        with read_own(folder.path / "console.log") as file:
            file.seek(max(0, _size(folder.path / "console.log") - CONSOLE_TAIL_BYTES))
            lines = file.read(CONSOLE_TAIL_BYTES).decode("utf-8", "replace").splitlines()
            lines = [line for line in lines if line.strip()]
    except OSError:
        return ""
    # a crash in native code is followed by stacks and by a list of libraries
    crash = next((line for line in reversed(lines) if line.startswith("Fatal Python error")), None)
    return plain((crash or lines[-1]).strip())[:500] if lines else ""


def _start_cold(folder: RunFolder) -> subprocess.Popen[bytes]:
    # what goes wrong before the host opens its console.log is written there all the same
    log = open_own(folder.path / "console.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with os.fdopen(log, "ab") as console:
        return _start(str(folder.path), output=console)


def _start(argument: str, stdin: int = subprocess.DEVNULL, output: BinaryIO | None = None) -> subprocess.Popen[bytes]:
    target = output or subprocess.DEVNULL
    return subprocess.Popen([*HOST, argument], stdin=stdin, stdout=target, stderr=target, start_new_session=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0

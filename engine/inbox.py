"""The way commands take from the event loop to the training thread."""

from __future__ import annotations

import threading
from collections import deque

from engine.commands import AnyCommand, Stop


class Inbox:
    """Commands waiting for the next step boundary. Looking whether there are any costs the loop next to nothing."""

    def __init__(self) -> None:
        self._commands: deque[AnyCommand] = deque()
        self._arrived = threading.Event()

    def put(self, command: AnyCommand) -> None:
        """Leave a command; callable from any thread."""
        self._commands.append(command)
        self._arrived.set()

    def __bool__(self) -> bool:
        return bool(self._commands)

    @property
    def has_stop(self) -> bool:
        """Whether a stop waits, perhaps behind other commands; for what takes long between two steps."""
        return any(isinstance(command, Stop) for command in tuple(self._commands))

    def take(self) -> AnyCommand:
        """The oldest command.

        Raises:
            IndexError: there is none.
        """
        return self._commands.popleft()

    def put_back(self, command: AnyCommand) -> None:
        """Leave a command that was taken and could not be obeyed yet; it comes first."""
        self._commands.appendleft(command)

    def wait(self, timeout_s: float | None = None) -> None:
        """Sleep until there is a command, or for `timeout_s`."""
        self._arrived.clear()
        if not self._commands:
            self._arrived.wait(timeout_s)

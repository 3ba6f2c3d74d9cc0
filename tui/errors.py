"""What went wrong with a command, told to the person who gave it."""

from __future__ import annotations


class CommandError(Exception):
    """A command that can't be done; the message is one line and names the mend."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code

"""A command that has its step."""

from __future__ import annotations

from typing import NamedTuple

from engine.commands import AnyCommand


class Due(NamedTuple):
    """A command that is to be obeyed once `step` steps are taken."""

    step: int
    command: AnyCommand

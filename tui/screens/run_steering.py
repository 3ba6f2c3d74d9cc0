"""Asks an engine for something, and waits for the event that answers."""

from __future__ import annotations

from collections.abc import Callable

from engine import commands as cmd
from engine.run_folder import RunFolderError
from engine.text import plain
from tui.last_resort import last_resort
from tui.run_follower import RunFollower
from tui.screens import run_asks
from tui.screens.run_asks import ANSWER_WITHIN_S, Ask


class Steering:
    """Commands to one run that are on their way.

    Args:
        follower: The run.
        clock: Seconds since the epoch.
    """

    def __init__(self, follower: RunFollower, clock: Callable[[], float]) -> None:
        self._follower = follower
        self._clock = clock
        self._asks: list[Ask] = []

    @property
    def word(self) -> str:
        """What the run is about to do, empty if nothing was asked."""
        return self._asks[-1].word if self._asks else ""

    def refusal(self) -> str:
        """Why the run takes no commands now, empty if it does."""
        if not self._follower.is_caught_up:  # how it stands is not known yet: the engine itself will answer
            return ""
        return run_asks.refusal(self._follower.status, self._follower.lost)

    def ask(self, ask: Ask) -> str:
        """Send a command; returns why that could not be done, empty if it could."""
        problem = self.refusal()
        if problem:
            return problem
        try:
            self._follower.folder.ask(ask.command)
        except RunFolderError as error:
            return str(error)
        self._asks.append(ask)
        return ""

    def settle(self) -> list[str]:
        """Let go of what was answered, refused, or waited for too long; returns what a person should be told."""
        follower, warnings = self._follower, []
        for event in follower.rejections:
            warnings.append(f"{plain(event.command)}: {plain(event.reason)}")
            self._asks = [ask for ask in self._asks if type(ask.command).__name__.lower() != event.command]
        follower.rejections.clear()
        waiting = [ask for ask in self._asks if not ask.is_answered(follower.state)]
        self._asks = []
        for ask in waiting if follower.status != "died" else ():
            if self._clock() - ask.asked_at <= ANSWER_WITHIN_S:
                self._asks.append(ask)
            else:
                way_out = last_resort(follower.folder) if isinstance(ask.command, cmd.Stop) else ""
                warnings.append(f"no answer from the engine yet ({ask.word}){way_out and f'; {way_out}'}")
        return warnings

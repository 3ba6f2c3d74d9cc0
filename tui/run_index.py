"""Which runs a folder has, in the order of their last change: made to be asked once a second, of 10,000 runs too."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

STATS_PER_LOOK = 500
"""Known runs that are looked at again each time: among 10,000, an old one that is resumed moves up within 20 s."""


class RunIndex:
    """Names of runs and when they last changed; only names that are new, and a share of the others, are looked at.

    Args:
        runs: The folder of all runs; need not exist.
    """

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self.problem = ""
        """Why the folder can't be read, empty if it can (or is not there yet)."""
        self._changed_at_ns: dict[str, int] = {}
        """0 for what is no run, or no run yet."""
        self._turn: deque[str] = deque()

    def look(self) -> None:
        """See what has come, gone and changed."""
        names = self._names()
        new = names - self._changed_at_ns.keys()
        if len(names) < len(self._changed_at_ns) + len(new):
            self._changed_at_ns = {name: at for name, at in self._changed_at_ns.items() if name in names}
            self._turn = deque(name for name in self._turn if name in names)
        self.refresh(self._turn[index] for index in range(min(STATS_PER_LOOK, len(self._turn))))
        self._turn.rotate(-STATS_PER_LOOK)
        self._changed_at_ns.update(dict.fromkeys(new, 0))
        self.refresh(new)
        self._turn.extend(new)

    def refresh(self, names: Iterable[str]) -> None:
        """Look again at those of `names` that were there at the last look."""
        for name in names:
            if name not in self._changed_at_ns:
                continue
            changed_at_ns = 0
            with suppress(OSError):
                changed_at_ns = os.stat(os.path.join(self.runs, name, "events.jsonl")).st_mtime_ns
            self._changed_at_ns[name] = changed_at_ns

    def newest(self) -> list[str]:
        """Names of all runs, most recently changed first."""
        found = [(changed_at_ns, name) for name, changed_at_ns in self._changed_at_ns.items() if changed_at_ns]
        found.sort(reverse=True)
        return [name for _, name in found]

    def _names(self) -> set[str]:
        self.problem = ""
        try:
            return {name for name in os.listdir(self.runs) if not name.startswith(".")}
        except FileNotFoundError:
            return set()
        except OSError as error:
            self.problem = error.strerror or "can't be read"
            return set()

"""Training time."""

from __future__ import annotations

import time


class Stopwatch:
    """Counts seconds over all starts of a run, without its pauses. No clock that somebody may set has a part in it."""

    def __init__(self) -> None:
        self._before_s = 0.0
        """What was counted before the last start."""
        self._started_s: float | None = None

    def elapsed_s(self) -> float:
        """Seconds so far."""
        running_s = time.perf_counter() - self._started_s if self._started_s is not None else 0.0
        return self._before_s + running_s

    def set(self, elapsed_s: float) -> None:
        """Go on from `elapsed_s` when started."""
        self._before_s = elapsed_s

    def start(self) -> None:
        """Count on."""
        self._before_s, self._started_s = self.elapsed_s(), time.perf_counter()

    def stop(self) -> None:
        """Count no further until started again."""
        self._before_s, self._started_s = self.elapsed_s(), None

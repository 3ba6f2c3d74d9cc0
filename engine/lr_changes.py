"""Which changes of the learning rate a run has been through: what a resume and a replay have to do again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from engine.events import AnyEvent, LearningRateChanged, RolledBack


class LrChange(NamedTuple):
    """The optimizer's lr is `lr` from the step after `step` on."""

    step: int
    lr: float


class LrChanges(list[LrChange]):
    """Changes that count, in the order of their steps.

    A run that was killed trains some steps again, and at the same steps its learning rate is changed again as people
    had asked: so a later event may speak of an earlier step. It then overrules what had been asked at later ones.
    """

    def apply_all(self, events: Iterable[AnyEvent]) -> None:
        """Take `events` into account, in order."""
        for event in events:
            self.apply(event)

    def apply(self, event: AnyEvent) -> None:
        """Take one event into account."""
        match event:
            case LearningRateChanged(step=step, new=lr) | RolledBack(step=step, lr=float(lr)):
                self.forget_after(step)
                self.append(LrChange(step, lr))

    def forget_after(self, step: int) -> None:
        """Drop what was to happen after `step`."""
        while self and self[-1].step > step:
            self.pop()

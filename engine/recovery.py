"""What a run does about numbers that are not finite: stop at the step, leave it out, or go back and go slower."""

from __future__ import annotations

import math
from collections import deque

from torch import Tensor

from engine.events import RolledBack, StepSkipped
from engine.keeper import Keeper, Progress
from engine.meters import NotFinite
from engine.stepper import BadStep, GuardedStepper
from engine.tasks.base import Observation, Task

MOST_RETURNS = 20
"""Times a run goes back to the same checkpoint before it gives up: its learning rate is a millionth by then."""
MOST_SKIPS = 100
"""Steps skipped in a row before a run gives up: its weights make no finite number of any batch."""


class Recovery:
    """Follows `trainer.on_nonfinite` for one run.

    The loop itself looks at losses only now and then, since looking takes as long as a small step. A run that is to
    stop at the very step goes back to its last checkpoint: from there the same step fails again, and this time every
    number is looked at before it is used.

    Args:
        task: What is trained.
        keeper: What goes back to the last checkpoint. That stays what it was whatever happens: the weights of the step
            before a bad one may be finite, and ruined.
    """

    def __init__(self, task: Task, keeper: Keeper) -> None:
        self._keeper = keeper
        self._task = task
        self._policy = task.config.trainer.on_nonfinite
        self._stepper = GuardedStepper(task)
        self._looks_until = math.inf if self._policy == "skip" else 0
        self._returns: deque[int] = deque(maxlen=MOST_RETURNS)
        """Steps it went back to of late."""
        self._skips = 0
        """Steps skipped in a row."""

    def looks_at(self, step: int) -> bool:
        """Whether the step after `step` others is one whose numbers are looked at before they are used."""
        return step < self._looks_until

    def take_step(self, at: Progress, lr: float, inputs: Tensor, targets: Tensor) -> Observation | StepSkipped:
        """The step after `at`, at learning rate `lr`; what was skipped leaves no trace.

        Raises:
            NotFinite: this step, or the one before it, is the one that failed.
        """
        if not self.looks_at(at.step):
            return self._task.train_step(inputs, targets)
        try:
            observation = self._stepper.take(inputs, targets)
        except BadStep as bad:
            if not self._keeper.weights_are_finite():  # the update before was too large, and its gradients were finite
                raise NotFinite(at.step, 1, lr, "weights", is_found=True) from None
            self._skips += 1
            if self._policy != "skip" or self._skips > MOST_SKIPS:
                raise NotFinite(at.step + 1, 1, lr, bad.what, bad.layer, is_found=True) from None
            return StepSkipped(step=at.step + 1, what=bad.what, layer=bad.layer, lr=lr)
        self._skips = 0
        return observation

    def go_back(self, error: NotFinite, at: Progress, is_to_stop: bool) -> tuple[Progress, RolledBack]:
        """Put the task back to its last checkpoint, and say so.

        Args:
            error: What was found.
            at: Where the run stands.
            is_to_stop: Whether somebody has asked for a stop: then it stops there.

        Raises:
            NotFinite: `error`, which was found at its step, or which going back has not helped against.
        """
        error.run, error.base_lr, error.good_step = self._keeper.run, at.base_lr, self._keeper.last_step
        self._returns.append(self._keeper.last_step)
        most = MOST_RETURNS if self._policy == "halve" else 2
        if error.is_found or self._returns.count(self._keeper.last_step) >= most:
            self._keeper.write_best()
            raise error
        from_step, back, lr = max(at.step, error.step), self._keeper.go_back(), None
        if is_to_stop:
            then = "the run was to stop, and stops here"
        elif self._policy == "halve":
            lr = back.base_lr = allowed_lr(min(at.base_lr, back.base_lr) / 2)
            back.due = []
            then = f"gone back with half the learning rate, {lr:.4g}"
        else:
            self._looks_until = max(self._looks_until, from_step)
            then = "gone back to find the very step"
        return back, RolledBack(step=back.step, from_step=from_step, lr=lr, reason=f"{error}; {then}")


def allowed_lr(lr: float) -> float:
    """The nearest learning rate that a person may set, in as many digits as are shown."""
    return min(max(float(f"{lr:.6g}"), 1e-12), 100.0)

"""What has been asked of a run and not been answered yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine import commands as cmd
from engine.run_state import ENDED, RunState, Status

ANSWER_WITHIN_S = 15.0
"""An engine that has not answered by then may be gone, or deep in a step."""


@dataclass(frozen=True)
class Ask:
    """A command on its way: the word that is shown meanwhile, and how to know that it was answered."""

    command: cmd.AnyCommand
    word: str
    is_answered: Callable[[RunState], bool]
    asked_at: float


def pause_or_continue(state: RunState, now: float) -> Ask:
    """Continue a paused run, pause any other."""
    if state.paused:
        return Ask(cmd.Continue(at=now), "continuing…", lambda later: not later.paused, now)
    return Ask(cmd.Pause(at=now), "pausing…", lambda later: later.paused or later.ending is not None, now)


def stop(now: float) -> Ask:
    """End the run before its last epoch."""
    return Ask(cmd.Stop(at=now), "stopping…", lambda later: later.ending is not None, now)


def save_checkpoint(state: RunState, now: float) -> Ask:
    """Keep a checkpoint of this step."""
    before = state.checkpoint
    return Ask(cmd.SaveCheckpoint(at=now), "saving…", lambda later: later.checkpoint is not before, now)


def scale_lr(state: RunState, factor: float, now: float) -> Ask:
    """Multiply the learning rate."""
    before = state.base_lr
    word = "lr up…" if factor > 1 else "lr down…"
    return Ask(cmd.ScaleLearningRate(factor=factor, at=now), word, lambda later: later.base_lr != before, now)


def refusal(status: Status, lost: str) -> str:
    """Why a run that stands so takes no commands, empty if it does."""
    if lost:
        return "the run's folder can't be reached"
    if status == "starting":
        return "the run is still starting"
    if status in ENDED:
        resumes = "" if status == "finished" else "; r resumes it"
        return f"the run has {'died' if status == 'died' else status}{resumes}"
    return ""


def resume_refusal(status: Status) -> str:
    """Why a run that stands so can't be resumed, empty if it can."""
    if status == "finished":
        return "the run reached its last epoch; for more, start one with a larger trainer.epochs"
    return "" if status in ("stopped", "failed", "died") else f"the run is {status}: there is nothing to resume"

"""A run's state in a few words."""

from __future__ import annotations

from engine.run_state import RunState
from engine.text import plain


def progress(state: RunState) -> str:
    """`epoch 3/30, 10 %`."""
    if not state.total_steps:
        return ""
    share = 100 * state.step / state.total_steps
    return f"epoch {int(state.epoch):,}/{state.epochs:,}, {share:.0f} %"


def last_metric(state: RunState) -> str:
    """The last value of the run's own metric, or else of its loss."""
    for key in (state.started.metric if state.started else "", "val/loss", "train/loss"):
        if key in state.latest:
            return f"{plain(key)} {number(state.latest[key])}"
    return ""


def number(value: float | None) -> str:
    """Four digits of a value; None was not finite."""
    return "not finite" if value is None else f"{value:.4g}"

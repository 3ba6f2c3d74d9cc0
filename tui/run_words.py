"""A run's state in a few words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.run_state import RunState
from engine.text import plain

LOSSES = ("train/loss", "val/loss")
"""How the keys of all losses begin; most runs have just these."""
VERDICTS = frozenset({"d_real", "d_fake"})
"""How real a discriminator finds pictures: on one axis from 0 to 1 they show which of two networks is winning."""


def progress(state: RunState) -> str:
    """`epoch 3/30, 10 %`."""
    if not state.total_steps:
        return ""
    share = 100 * state.step / state.total_steps
    return f"epoch {state.epoch_under_way:,}/{state.epochs:,}, {share:.0f} %"


class Metric(NamedTuple):
    """A value, and what it is of, both in words."""

    key: str
    value: str
    is_best: bool = False


def last_metric(state: RunState) -> str:
    """`val/accuracy 0.93`, as `metric_of` finds it; empty if nothing was measured yet."""
    metric = metric_of(state)
    return f"{metric.key} {metric.value}" if metric else ""


def metric_of(state: RunState) -> Metric | None:
    """The last value of the run's own metric, or else of its loss; of its first where it has several."""
    own = state.started.metric if state.started else ""
    held_out_first = sorted(loss_keys(state), key=lambda key: not key.startswith("val/"))
    for key in (own, *held_out_first):
        if key in state.latest:
            return Metric(plain(key), number(state.latest[key]))
    return None


def loss_keys(state: RunState) -> tuple[str, ...]:
    """Keys of the run's losses, those of its steps first; before it has any, those of most runs."""
    found = [key for key in state.series if key.startswith(LOSSES)]
    return tuple(sorted(found, key=lambda key: key.startswith("val/"))) or LOSSES


def measured_keys(state: RunState) -> tuple[str, ...]:
    """Keys of what else than losses is measured: the run's own metric, or all there is where it has none."""
    metric = state.started.metric.rpartition("/")[2] if state.started else ""
    if metric and not metric.startswith("loss"):
        return (f"train/{metric}", f"val/{metric}")
    found = [key for key in state.series if key.startswith(("train/", "val/")) and not key.startswith(LOSSES)]
    return tuple(sorted(found, key=lambda key: key.startswith("val/")))


def are_verdicts(keys: Sequence[str]) -> bool:
    """Whether `keys` are some, and all of them a discriminator's verdicts."""
    return bool(keys) and {key.rpartition("/")[2] for key in keys} <= VERDICTS


def number(value: float | None) -> str:
    """Four digits of a value; None was not finite."""
    return "not finite" if value is None else f"{value:.4g}"

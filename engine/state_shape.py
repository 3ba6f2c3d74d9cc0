"""What a checkpoint's state may hold: what was tampered with is refused before anything is done with it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from engine.events import Count, Duration

MOST_THREADS = 4096
"""Some libraries crash on more, without a word."""
LearningRate = Annotated[float, msgspec.Meta(ge=0, le=100)]
Finite = Annotated[float, msgspec.Meta(ge=-sys.float_info.max, le=sys.float_info.max)]


class RandomStates(msgspec.Struct):
    """As `engine.checkpoint.random_states` gives them; what takes them back looks at the rest itself."""

    torch: Any
    python: tuple[int, list[int], float | None]
    numpy: tuple[str, Any, Annotated[int, msgspec.Meta(ge=0, le=624)], int, float]


class StateShape(msgspec.Struct, kw_only=True):
    """Only `step` is in every checkpoint: the best one has weights and little else, earlier versions knew less."""

    step: Count
    epoch: Count = 0
    elapsed_s: Duration = 0.0
    base_lr: LearningRate = 0.0
    best_value: Finite | None = None
    evaluations_since_best: Count = 0
    due: list[tuple[Count, LearningRate]] = []
    log_bytes: Count | None = None
    threads: Annotated[int, msgspec.Meta(ge=1, le=MOST_THREADS)] = 1
    optimizers: dict[str, dict[str, Any]] = {}
    task: dict[str, Any] = {}
    data: dict[str, Any] = {}
    random: RandomStates | None = None


def fault_in(state: Mapping[str, Any]) -> str:
    """What of a checkpoint's state can't be, on one line; empty if all of it can."""
    try:
        msgspec.convert(state, StateShape)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at ")
        where = place.replace("$.", "").replace("$", "state") or "state"
        return f"its {where} can't be used: {reason}".replace("`", "")
    return ""

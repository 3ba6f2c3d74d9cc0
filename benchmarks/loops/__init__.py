"""The loops that are compared, one per file: each trains a system and says how fast.

Every file has `train(system) -> Trained`. What it imports beyond dltui's own dependencies is imported with the file.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from benchmarks.systems import Clock, System


class Trained(NamedTuple):
    """What came out of a loop."""

    steps: int
    """Optimizer steps taken, warm-up included."""
    steps_per_s: float
    """After the warm-up."""
    outputs: Callable[[Tensor], Tensor]
    """The trained model: (N, outputs) of prepared inputs (N, ...)."""


Loop = Callable[[System], Trained]


class NotInstalledError(Exception):
    """A loop's package is not here."""


def find_loop(name: str) -> Loop:
    """The loop of benchmarks/loops/`name`.py, or of another of its functions where `name` has a dot.

    Raises:
        NotInstalledError: the trainer that it is about is not installed.
    """
    module, _, function = name.partition(".")
    try:
        loop: Loop = getattr(importlib.import_module(f"{__name__}.{module}"), function or "train")
    except ModuleNotFoundError as error:
        raise NotInstalledError(f"{error.name} is not installed") from None
    return loop


def timed(clock: Clock, outputs: Callable[[Tensor], Tensor]) -> Trained:
    """What a loop whose steps `clock` counted has to say."""
    return Trained(clock.steps, clock.steps_per_s(), outputs)

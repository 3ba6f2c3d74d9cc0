"""What a person may ask of a run while it goes on: imperative, one JSON line each in `commands.jsonl`."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="command"):
    """Something to do at the next step boundary. `at` is when it was asked, in seconds since the epoch."""

    at: float = msgspec.field(default_factory=lambda: round(time.time(), 3))


class Pause(Command, frozen=True, tag=True):
    """Save a checkpoint and wait."""


class Continue(Command, frozen=True, tag=True):
    """Go on after a pause."""


class Stop(Command, frozen=True, tag=True):
    """Save a checkpoint and end the run."""

    reason: str = "asked"


class SaveCheckpoint(Command, frozen=True, tag=True):
    """Keep a checkpoint of this very step."""


class SetLearningRate(Command, frozen=True, tag=True):
    """Set the optimizer's lr; the schedule's factor still applies."""

    lr: Annotated[float, msgspec.Meta(gt=0, le=100)]


class ScaleLearningRate(Command, frozen=True, tag=True):
    """Multiply the optimizer's lr, so that two quick presses are two steps."""

    factor: Annotated[float, msgspec.Meta(gt=0, le=1000)]


AnyCommand = Pause | Continue | Stop | SaveCheckpoint | SetLearningRate | ScaleLearningRate

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(AnyCommand).decode

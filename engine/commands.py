"""What a person may ask of a run while it goes on: imperative, one JSON line each in `commands.jsonl`."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec

TEXT_LIMIT = 20_000
"""Characters of a text that a model is asked about."""


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


class Resume(Command, frozen=True, tag=True):
    """Go on from the last checkpoint. Written for the engine that is about to be started: commands after this line
    are meant for it, those before it were meant for another."""

    log_bytes: Annotated[int, msgspec.Meta(ge=0)]
    """Size of the event log when this was asked: once it has grown, an engine has come."""


class SaveCheckpoint(Command, frozen=True, tag=True):
    """Keep a checkpoint of this very step."""


class SetLearningRate(Command, frozen=True, tag=True):
    """Set the optimizer's lr; the schedule's factor still applies."""

    lr: Annotated[float, msgspec.Meta(gt=0, le=100)]


class ScaleLearningRate(Command, frozen=True, tag=True):
    """Multiply the optimizer's lr, so that two quick presses are two steps."""

    factor: Annotated[float, msgspec.Meta(gt=0, le=1000)]


class Ask(Command, frozen=True, tag=True):
    """Let the model, as it is now, say what it makes of a text."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    """Comes back with the answer."""
    text: Annotated[str, msgspec.Meta(max_length=TEXT_LIMIT)]


AnyCommand = Pause | Continue | Stop | Resume | SaveCheckpoint | SetLearningRate | ScaleLearningRate | Ask

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(AnyCommand).decode

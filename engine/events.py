"""What happened in a run: frozen, past tense. `engine.event_lines` says how they stand in `events.jsonl`.

`at` is an instant in seconds since the epoch; `step` counts optimizer steps taken when it happened.
"""

from __future__ import annotations

import time
from typing import Annotated, Protocol

import msgspec

# a log that was tampered with has damaged lines, not numbers that viewers choke on
Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1, le=2**62)]
MOST_SECONDS = 1e11
Instant = Annotated[float, msgspec.Meta(ge=0, le=MOST_SECONDS)]
Duration = Annotated[float, msgspec.Meta(ge=0, le=MOST_SECONDS)]
Whole = Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
Name = Annotated[str, msgspec.Meta(max_length=1000)]


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", omit_defaults=True):
    """Something that happened to a run."""

    step: Count
    at: Instant = msgspec.field(default_factory=lambda: round(time.time(), 3))


class RunStarted(Event, frozen=True, tag=True):
    """An engine took the run, from its beginning or, with `step` > 0, from a checkpoint."""

    pid: Whole
    host: Name
    device: Name
    device_name: Name
    threads: Whole
    torch: Name
    parameters: Whole
    train_rows: Whole
    val_rows: Whole
    batch_size: Whole
    steps_per_epoch: AtLeastOne
    epochs: AtLeastOne
    metric: Name
    """The value that says how good the run is, such as `val/accuracy`; empty where none does."""
    higher_is_better: bool
    elapsed_s: Duration = 0.0
    """Training time before this start."""
    base_lr: float | None = None
    """The optimizer's lr, if it is no longer the configuration's."""


class MetricsLogged(Event, frozen=True, tag=True):
    """Means over the `steps` steps up to and including `step`, keyed like `train/loss`."""

    steps: Count
    elapsed_s: Duration
    """Training time since the run began; pauses do not count, and resuming goes on from the checkpoint's."""
    lr: float
    values: dict[Name, float | None]
    """None stands for a value that was not finite."""


class Evaluated(Event, frozen=True, tag=True):
    """The model was measured on held-out data (or on the training data where none is held out)."""

    epoch: Count
    elapsed_s: Duration
    values: dict[Name, float | None]


class EpochEnded(Event, frozen=True, tag=True):
    """So many epochs are over; told of when an evaluation is due."""

    epoch: Count
    elapsed_s: Duration


class Heartbeat(Event, frozen=True, tag=True):
    """The engine is alive. Sent every few seconds, paused or not."""

    memory_bytes: Whole
    cpu_percent: float
    gpu_memory_bytes: Whole = 0
    gpu_percent: float = -1.0
    """-1 where it cannot be read."""
    paused: bool = False
    """Whether training waits; for whoever reads no more than the end of a log, as the two that follow."""
    evaluated: dict[Name, float | None] = {}
    """Held-out values of the last evaluation."""
    best: tuple[float, Count] | None = None
    """Value and step of the best evaluation."""


class FigureDrawn(Event, frozen=True, tag=True):
    """The picture `name` was drawn anew into `file` (relative to the run folder); see `engine.figures`."""

    name: Name
    kind: Name
    title: Name
    file: Name
    epoch: Count | None = None
    """Of a picture that is kept: the epoch it stands for. Others are replaced by the next of their name."""


class CheckpointSaved(Event, frozen=True, tag=True):
    """Everything needed to go on from `step` is on disk."""

    folder: str
    """Relative to the run folder."""
    reason: str
    """schedule, asked, pause, signal or end."""
    took_s: float


class RunPaused(Event, frozen=True, tag=True):
    """Training waits at `step`."""


class RunContinued(Event, frozen=True, tag=True):
    """Training goes on from `step`."""


class LearningRateChanged(Event, frozen=True, tag=True):
    """The optimizer's lr (before the schedule's factor) was changed while the run went on."""

    old: float
    new: float


class RolledBack(Event, frozen=True, tag=True):
    """Training went back from `from_step` to the state of `step`; what was told of the steps between is void."""

    from_step: Count
    reason: str
    lr: float | None = None
    """The optimizer's lr from `step` on, if another; if not, later changes are made again at their steps."""


class StepSkipped(Event, frozen=True, tag=True):
    """The update of `step` was not made, because numbers in it were not finite."""

    what: str
    """`loss`, or `gradient of` a parameter."""
    layer: str
    """Where such a number appeared first, empty where that could not be found."""
    lr: float


class CommandRejected(Event, frozen=True, tag=True):
    """Something that was asked for could not be done."""

    command: str
    reason: str


class Answered(Event, frozen=True, tag=True):
    """The model was asked something by a person."""

    id: str
    """The command's."""
    values: dict[str, float]
    """A probability for each class, by its name."""
    refusal: str = ""
    """Why there is no answer, empty if there is one."""


class LineLogged(Event, frozen=True, tag=True):
    """A line worth reading, such as why something fell back to a slower way."""

    level: str
    """info or warning."""
    text: str


class RunFinished(Event, frozen=True, tag=True):
    """The run reached its last epoch, or early stopping ended it (`reason`)."""

    elapsed_s: Duration
    reason: str = ""


class RunStopped(Event, frozen=True, tag=True):
    """Somebody ended the run before its last epoch; it can be resumed."""

    elapsed_s: Duration
    reason: str
    """asked, or the signal's name."""


class RunFailed(Event, frozen=True, tag=True):
    """The run could not go on."""

    error: str
    """One line."""
    cure: str = ""
    """What to do about it, where that is known."""
    traceback: str = ""
    is_refusal: bool = False
    """Whether what was asked for is all that is wrong: data, a device or code that is not there, or not fit for it."""

    @property
    def in_a_line(self) -> str:
        """What went wrong, and what to do about it."""
        return f"{self.error}; {self.cure}" if self.cure else self.error


ENDINGS = (RunFinished, RunStopped, RunFailed)

AnyEvent = (
    RunStarted
    | MetricsLogged
    | Evaluated
    | EpochEnded
    | Heartbeat
    | FigureDrawn
    | CheckpointSaved
    | RunPaused
    | RunContinued
    | LearningRateChanged
    | RolledBack
    | StepSkipped
    | CommandRejected
    | Answered
    | LineLogged
    | RunFinished
    | RunStopped
    | RunFailed
)


class Publish(Protocol):
    """Takes events, in order; must not block."""

    def __call__(self, *events: AnyEvent) -> None: ...


encode = msgspec.json.Encoder().encode

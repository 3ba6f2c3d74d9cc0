"""What is known of a run: a pure fold over its events. Screens, `dltui show` and the headless console share it."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from engine import events as ev
from engine.lr_changes import LrChanges
from engine.rows import HistoryItem, Rows
from engine.series import SeriesBook

Status = Literal["starting", "running", "paused", "finished", "stopped", "failed", "died"]
ENDED: frozenset[Status] = frozenset({"finished", "stopped", "failed", "died"})

THROUGHPUT_WINDOW_S = 5.0
LINES_KEPT = 1000
LINE_LIMIT = 2000
"""Characters of a line of the log."""
# more than any run has: a log from a stranger must not fill the memory
FIGURES_LIMIT = 100
KEPT_LIMIT = 10_000
MARKERS_KEPT = 1000
ANSWERS_KEPT = 50
RECALLED_LIMIT = 100


class Best(NamedTuple):
    """The best evaluation so far."""

    metric: str
    value: float
    epoch: int
    step: int


class Marker(NamedTuple):
    """Something done to the run at `step`, to be marked on its curves."""

    step: int
    label: str
    is_lr: bool = False
    """Whether it will be done again if these steps are trained again."""


class Line(NamedTuple):
    """A line of the run's log."""

    at: float
    level: Literal["info", "warning", "error"]
    text: str


@dataclass
class RunState:
    """The state of one run after the events applied so far. `apply` is the only thing that changes it."""

    started: ev.RunStarted | None = None
    step: int = 0
    elapsed_s: float = 0.0
    """Training time, without pauses."""
    lr: float = float("nan")
    """Effective learning rate of the last logged step, with what has been asked for since."""
    series: SeriesBook = field(default_factory=SeriesBook)
    latest: dict[str, float | None] = field(default_factory=dict)
    best: Best | None = None
    heartbeat: ev.Heartbeat | None = None
    figures: dict[str, ev.FigureDrawn] = field(default_factory=dict)
    """The latest picture of each name."""
    kept: dict[str, list[ev.FigureDrawn]] = field(default_factory=dict)
    """Pictures of past epochs by name, in the order of their epochs."""
    answers: dict[str, ev.Answered] = field(default_factory=dict)
    """The last answers to questions, by the ids of these."""
    markers: list[Marker] = field(default_factory=list)
    lr_changes: LrChanges = field(default_factory=LrChanges)
    lines: list[Line] = field(default_factory=list)
    checkpoint: ev.CheckpointSaved | None = None
    ending: ev.RunFinished | ev.RunStopped | ev.RunFailed | None = None
    paused: bool = False
    seen_at: float = 0.0
    """When the engine last said anything."""
    version: int = 0
    """Rises with every event, so that viewers know when to redraw."""
    _has_rows: bool = False
    """Whether rows have come since the last start."""
    _bests: list[Best] = field(default_factory=list)
    """Each best evaluation up to now, for going back."""

    def apply_all(self, events: Iterable[HistoryItem]) -> None:
        """Apply `events` in order."""
        for event in events:
            self.apply(event)

    def apply(self, event: HistoryItem) -> None:
        """Take one event, or what stands for several, into account."""
        self.version += 1
        if event.at > self.seen_at:
            self.seen_at = event.at
        _FOLDS[type(event)](self, event)
        if len(self.markers) > 2 * MARKERS_KEPT:
            del self.markers[:-MARKERS_KEPT]

    def status(self, engine_alive: bool) -> Status:
        """How the run stands, given whether an engine holds its lock."""
        if self.ending is not None and not engine_alive:
            return _ENDINGS[type(self.ending)]
        if not engine_alive:
            return "died" if self.started else "starting"
        if self.started is None or self.ending is not None:
            return "starting"
        return "paused" if self.paused else "running"

    @property
    def epochs(self) -> int:
        """Epochs the run is to take, 0 before it started."""
        return self.started.epochs if self.started else 0

    @property
    def total_steps(self) -> int:
        """Steps the run is to take, 0 before it started."""
        return self.started.epochs * self.started.steps_per_epoch if self.started else 0

    @property
    def epoch(self) -> float:
        """Epochs done, with the fraction of the current one."""
        return self.step / self.started.steps_per_epoch if self.started else 0.0

    @property
    def epoch_under_way(self) -> int:
        """Number of the epoch that the last step belongs to, from 1 to `epochs`: what people are told.

        One that is being evaluated is under way still, and a run that ended never began another.
        """
        return min(self.epochs, max(1, -(-self.step // self.started.steps_per_epoch))) if self.started else 0

    @property
    def steps_per_s(self) -> float:
        """Over the last few seconds of training; 0 from a start on until there are rows."""
        series = next((series for key, series in self.series.items() if key.startswith("train/")), None)
        if not self._has_rows:
            return 0.0
        step, elapsed_s = self.step, self.elapsed_s
        if series:
            # a heartbeat may be ahead of the rows in its step, not in its time
            step, elapsed_s = series.steps[-1], series.elapsed_s[-1]
            since = max(0, min(bisect_right(series.elapsed_s, elapsed_s - THROUGHPUT_WINDOW_S), len(series) - 2))
            span_s = elapsed_s - series.elapsed_s[since]
            if span_s > 0:
                return (step - series.steps[since]) / span_s
        return step / elapsed_s if elapsed_s > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds to the last step at the present speed; None while that is unknown."""
        if self.started is None or self.steps_per_s <= 0:
            return None
        return max(0, self.total_steps - self.step) / self.steps_per_s

    @property
    def base_lr(self) -> float | None:
        """The optimizer's lr, if it was changed while the run went on."""
        since = self.started.step if self.started else 0
        # those before the last start are part of what it started with
        done = (change.lr for change in reversed(self.lr_changes) if since <= change.step <= self.step)
        return next(done, self.started.base_lr if self.started else None)

    # -- one method per event -----------------------------------------------------------------------------------

    def _started(self, event: ev.RunStarted) -> None:
        self._rewind(event.step)
        self.started, self.step, self.elapsed_s = event, event.step, event.elapsed_s
        self.ending, self.paused, self.heartbeat, self._has_rows = None, False, None, False
        if event.step:
            self.markers.append(Marker(event.step, "resumed"))
            self._say(event.at, "info", f"resumed at step {event.step:,} on {event.device_name}")
        else:
            threads = f"{event.threads} thread{'s' * (event.threads != 1)}"
            self._say(event.at, "info", f"started on {event.device_name}, {threads}, torch {event.torch}")

    def _rewind(self, step: int) -> None:
        """A resumed run trains the steps after its checkpoint again: what was seen of them is void, but the learning
        rate will be changed again where it was changed."""
        for key in self.series.cut(step):
            series = self.series[key]
            if len(series):
                self.latest[key] = _last(series.values)
            else:
                self.latest.pop(key, None)
        self.markers = [marker for marker in self.markers if marker.step <= step or marker.is_lr]
        for kept in self.kept.values():
            while kept and kept[-1].step > step:
                kept.pop()
        while self._bests and self._bests[-1].step > step:
            self._bests.pop()
        self.best = self._bests[-1] if self._bests else None

    def recall(self, beat: ev.Heartbeat) -> None:
        """Take over what a heartbeat repeats of evaluations, where the part of the log that has them was not read."""
        for key, value in beat.evaluated.items():
            if key in self.latest or len(self.latest) < RECALLED_LIMIT:
                self.latest[key] = value
        if beat.best is not None and self.started is not None:
            value, step = beat.best
            self._consider(step, value)

    def _logged(self, event: ev.MetricsLogged) -> None:
        # a heartbeat tells the step of its instant, and may be ahead of the rows
        self.step, self.elapsed_s, self.lr = max(self.step, event.step), event.elapsed_s, event.lr
        self._extend(event.step, event.elapsed_s, event.values)
        self._has_rows = True

    def _evaluated(self, event: ev.Evaluated) -> None:
        self.step, self.elapsed_s = event.step, event.elapsed_s
        self._extend(event.step, event.elapsed_s, event.values)
        value = event.values.get(self.started.metric) if self.started else None
        if value is not None:
            self._consider(event.step, value)

    def _consider(self, step: int, value: float) -> None:
        assert self.started is not None
        sign = 1 if self.started.higher_is_better else -1
        if value == value and (self.best is None or sign * value > sign * self.best.value):
            epoch = -(-step // self.started.steps_per_epoch)
            self.best = Best(self.started.metric, value, epoch, step)
            self._bests.append(self.best)

    def _extend(self, step: int, elapsed_s: float, values: dict[str, float | None]) -> None:
        self.series.add(step, elapsed_s, values)
        for key, value in values.items():
            if key in self.series:
                self.latest[key] = value

    def _take_rows(self, rows: Rows) -> None:
        self.version += rows.events - 1
        self.heartbeat = rows.heartbeat or self.heartbeat
        self.step, self.elapsed_s, self.lr = max(self.step, rows.step), rows.elapsed_s[-1], rows.lr
        self.series.extend(rows.steps, rows.elapsed_s, rows.values)
        for key, column in rows.values.items():
            if key in self.series:
                self.latest[key] = _last(column)
        self._has_rows = True

    def _epoch_ended(self, event: ev.EpochEnded) -> None:
        self.step, self.elapsed_s = event.step, event.elapsed_s

    def _beat(self, event: ev.Heartbeat) -> None:
        self.heartbeat, self.step = event, max(self.step, event.step)

    def _drew(self, event: ev.FigureDrawn) -> None:
        if len(self.figures | self.kept) >= FIGURES_LIMIT and event.name not in (*self.figures, *self.kept):
            return
        if event.epoch is None:
            self.figures[event.name] = event
        else:
            kept = self.kept.setdefault(event.name, [])
            while kept and (kept[-1].epoch or 0) >= event.epoch:  # the epoch was trained again after a crash
                kept.pop()
            kept.append(event)
            del kept[:-KEPT_LIMIT]

    def _answered(self, event: ev.Answered) -> None:
        self.answers[event.id] = event
        if len(self.answers) > ANSWERS_KEPT:
            del self.answers[next(iter(self.answers))]

    def _saved(self, event: ev.CheckpointSaved) -> None:
        self.checkpoint = event
        if event.reason in ("asked", "pause", "signal"):
            self._say(event.at, "info", f"checkpoint at step {event.step:,} ({event.reason}, {event.took_s:.2f} s)")
        if event.reason == "asked":
            self.markers.append(Marker(event.step, "kept"))

    def _paused(self, event: ev.RunPaused) -> None:
        self.paused, self.step = True, event.step
        self._mark(event, "paused", f"paused at step {event.step:,}")

    def _continued(self, event: ev.RunContinued) -> None:
        self.paused = False
        self._mark(event, "continued", f"continued from step {event.step:,}")

    def _lr_changed(self, event: ev.LearningRateChanged) -> None:
        if event.old > 0:
            self.lr *= event.new / event.old
        self.step = max(self.step, event.step)
        self._lr_is(event, event.new)
        self._say(event.at, "info", f"learning rate {event.old:.4g} → {event.new:.4g} at step {event.step:,}")

    def _lr_is(self, event: ev.LearningRateChanged | ev.RolledBack, lr: float) -> None:
        """Mark a change, which overrules those of later steps: they stem from a life of the run that is over."""
        self.lr_changes.apply(event)
        self.markers = [marker for marker in self.markers if marker.step <= event.step or not marker.is_lr]
        self.markers.append(Marker(event.step, f"lr {lr:.3g}", is_lr=True))

    def _rolled_back(self, event: ev.RolledBack) -> None:
        self._rewind(event.step)
        self.step = event.step
        self._mark(
            event, "gone back", f"back from step {event.from_step:,} to {event.step:,}: {event.reason}", "warning"
        )
        if event.lr is not None:
            self._lr_is(event, event.lr)

    def _skipped(self, event: ev.StepSkipped) -> None:
        self.step = max(self.step, event.step)
        where = f", first in {event.layer}" if event.layer else ""
        self._mark(
            event,
            "skipped",
            f"step {event.step:,} skipped: {event.what} not finite{where}, learning rate {event.lr:.4g}",
        )

    def _rejected(self, event: ev.CommandRejected) -> None:
        self._say(event.at, "warning", f"{event.command}: {event.reason}")

    def _line(self, event: ev.LineLogged) -> None:
        self._say(event.at, "warning" if event.level == "warning" else "info", event.text)

    def _finished(self, event: ev.RunFinished) -> None:
        self._end(event, event.elapsed_s)
        self._say(event.at, "info", f"finished at step {event.step:,}{': ' + event.reason if event.reason else ''}")

    def _stopped(self, event: ev.RunStopped) -> None:
        self._end(event, event.elapsed_s)
        self._mark(event, "stopped", f"stopped at step {event.step:,} ({event.reason})")

    def _failed(self, event: ev.RunFailed) -> None:
        step = self.step  # one that failed while it was being prepared knows of none
        self._end(event, self.elapsed_s)
        self.step = max(step, event.step)
        self._say(event.at, "error", event.error)
        if event.cure:
            self._say(event.at, "info", event.cure)

    def _end(self, event: ev.RunFinished | ev.RunStopped | ev.RunFailed, elapsed_s: float) -> None:
        self.ending, self.step, self.elapsed_s, self.paused = event, event.step, elapsed_s, False

    def _mark(self, event: ev.AnyEvent, label: str, text: str, level: Literal["info", "warning"] = "info") -> None:
        self.markers.append(Marker(event.step, label))
        self._say(event.at, level, text)

    def _say(self, at: float, level: Literal["info", "warning", "error"], text: str) -> None:
        self.lines.append(Line(at, level, text[:LINE_LIMIT]))
        if len(self.lines) > 2 * LINES_KEPT:
            del self.lines[:-LINES_KEPT]


def _last(column: array[float]) -> float | None:
    value = column[-1]
    return value if value == value else None


_ENDINGS: dict[type, Status] = {ev.RunFinished: "finished", ev.RunStopped: "stopped", ev.RunFailed: "failed"}

_FOLDS: dict[type, Any] = {
    ev.RunStarted: RunState._started,
    ev.MetricsLogged: RunState._logged,
    Rows: RunState._take_rows,
    ev.Evaluated: RunState._evaluated,
    ev.EpochEnded: RunState._epoch_ended,
    ev.Heartbeat: RunState._beat,
    ev.FigureDrawn: RunState._drew,
    ev.CheckpointSaved: RunState._saved,
    ev.RunPaused: RunState._paused,
    ev.RunContinued: RunState._continued,
    ev.LearningRateChanged: RunState._lr_changed,
    ev.RolledBack: RunState._rolled_back,
    ev.StepSkipped: RunState._skipped,
    ev.CommandRejected: RunState._rejected,
    ev.Answered: RunState._answered,
    ev.LineLogged: RunState._line,
    ev.RunFinished: RunState._finished,
    ev.RunStopped: RunState._stopped,
    ev.RunFailed: RunState._failed,
}

"""Which curves the charts of a run show, and how."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace

from engine.run_state import RunState
from engine.text import plain
from tui.run_follower import RunFollower
from tui.run_words import are_verdicts, loss_keys, measured_keys
from tui.screens.run_overlay import Overlay
from tui.widgets.chart import MARKERS, ChartContent
from tui.widgets.curves import Curve
from tui.widgets.extents import Look, Mark, Marker, Scale
from tui.widgets.run_curves import fingerprint, labels_of, overlay_curve, roles_of, run_curves, run_marks
from tui.widgets.thinning import Thinner

SCALES: tuple[Scale, ...] = ("steps", "epochs", "time")
SMOOTHINGS = (0.0, 0.5, 0.8, 0.9, 0.97, 0.99)
_MOST_CURVES = 6

Offer = tuple[Hashable, Callable[[], ChartContent], Hashable]
"""A key that changes with the values, what makes the content, and a key that changes with how it is shown."""


@dataclass
class ChartSettings:
    """What keys change about the charts."""

    log_y: bool = False
    scale: Scale = "steps"
    smoothing: float = 0.0
    marker: Marker = "braille"
    overlay_on: bool = False

    def next_scale(self) -> None:
        """The next x axis."""
        self.scale = SCALES[(SCALES.index(self.scale) + 1) % len(SCALES)]

    def next_marker(self) -> None:
        """The next kind of marker."""
        self.marker = MARKERS[(MARKERS.index(self.marker) + 1) % len(MARKERS)]

    def smooth(self, direction: int) -> None:
        """More smoothing, or less where `direction` is -1."""
        index = SMOOTHINGS.index(self.smoothing) + direction
        self.smoothing = SMOOTHINGS[min(len(SMOOTHINGS) - 1, max(0, index))]


class RunCharts:
    """Chooses the curves of the two charts of a run.

    Args:
        follower: The run.
        settings: How to show it; may change at any time.
    """

    def __init__(self, follower: RunFollower, settings: ChartSettings) -> None:
        self.settings = settings
        self.overlay = Overlay()
        self._follower = follower
        self._thinner = Thinner()

    def take_defaults(self, display: object) -> None:
        """Begin as the run's configuration says, of which this is the part on display, not validated."""
        if isinstance(display, Mapping):
            self.settings.log_y = display.get("log_y") is True
            overlay = display.get("overlay")
            self.settings.overlay_on = isinstance(overlay, str) and bool(overlay)

    def overlay_preset(self) -> str:
        """The preset whose latest run is to be compared with: the configured one, or else the run's own."""
        config = self._follower.config
        return (config.display.overlay or config.preset) if config else ""

    # -- the two charts --------------------------------------------------------------------------------------------

    def loss(self) -> Offer:
        """The chart of the loss, or of all losses."""
        return self._offer("loss", loss_keys(self._state)[:_MOST_CURVES], self.settings.log_y)

    def metric(self) -> Offer:
        """The chart beside it: the task's own metric, or else all it measures, or else what the model is made of."""
        return self._offer(self.second_title(), self.second_keys(), False)

    def second_keys(self) -> tuple[str, ...]:
        """Keys of the second chart; empty for a run that has nothing to put there."""
        metric = self._metric()
        if metric and metric != "loss":
            return (f"train/{metric}", f"val/{metric}")
        gauges = tuple(key for key in self._state.series if not key.startswith(("train/", "val/")))
        return (measured_keys(self._state) or gauges)[:_MOST_CURVES]

    def second_title(self) -> str:
        """What the second chart is called."""
        metric = self._metric()
        if metric and metric != "loss":
            return plain(metric)
        keys = self.second_keys()
        figure = self._state.figures.get(self.figure_in_second_pane())
        if figure is not None:
            return plain(figure.title)
        if are_verdicts(keys):
            return "verdict"
        families = {key.partition("/")[0] for key in keys}
        return (
            {"param": "parameters", "norm": "norms"}.get(families.pop(), "values") if len(families) == 1 else "values"
        )

    def figure_in_second_pane(self) -> str:
        """Name of the figure that the second chart shows already; empty if there is none."""
        if self._metric() != "loss":
            return ""
        figures = self._state.figures.values()
        return next((event.name for event in figures if event.kind == "metrics"), "") if self.second_keys() else ""

    # -- figures made of the run's curves --------------------------------------------------------------------------

    def of_metrics(self, keys: Sequence[str]) -> tuple[list[Curve], list[Mark], Look]:
        """Curves of any metrics of the run."""
        settings = self.settings
        curves = run_curves(self._state, keys[:_MOST_CURVES], settings.scale, settings.smoothing, self._thinner)
        return curves, run_marks(self._state, settings.scale), Look(scale=settings.scale, marker=settings.marker)

    def key_of_metrics(self) -> Hashable:
        """Changes when `of_metrics` may."""
        return (self._state.step, astuple(self.settings))

    # -- inside ----------------------------------------------------------------------------------------------------

    @property
    def _state(self) -> RunState:
        return self._follower.state

    def _metric(self) -> str:
        """The task's own metric, before the first event as the task's kind lets expect."""
        started, config = self._state.started, self._follower.config
        if started is not None:
            return started.metric.rpartition("/")[2]
        return "accuracy" if config is not None and "classification" in config.task.kind else "loss"

    def _offer(self, title: str, keys: tuple[str, ...], log_y: bool) -> Offer:
        state = self._state
        look = (title, astuple(replace(self.settings, log_y=log_y)), id(self.overlay))
        return (id(state), fingerprint(state, keys)), lambda: self._content(title, keys, log_y), look

    def _content(self, title: str, keys: tuple[str, ...], log_y: bool) -> ChartContent:
        state, settings = self._state, self.settings
        curves = run_curves(state, keys, settings.scale, settings.smoothing, self._thinner)
        if self.overlay.state is not None:
            other = overlay_curve(self.overlay.state, keys, settings.scale, settings.smoothing, self._thinner)
            curves = [*([other] if other is not None else []), *curves]
        labels, roles = labels_of(keys), roles_of(keys)
        return ChartContent(
            title=title,
            curves=curves,
            marks=run_marks(state, settings.scale),
            look=Look(
                log_y,
                settings.scale,
                settings.marker,
                is_share=title == "accuracy",
                ends=(0.0, 1.0) if are_verdicts(keys) else None,
            ),
            notes=self._notes(log_y),
            latest=tuple((labels[key], roles[key], state.latest[key]) for key in keys if key in state.latest),
            waiting="no values yet" if state.ending is None else "no values were logged",
        )

    def _notes(self, log_y: bool) -> tuple[str, ...]:
        settings = self.settings
        by = {"steps": "by step", "epochs": "by epoch", "time": "by time"}[settings.scale]
        notes = [by, *(["log y"] if log_y else []), *([f"smooth {settings.smoothing:g}"] if settings.smoothing else [])]
        if settings.overlay_on and (self.overlay.problem or self.overlay.name):
            notes.append(self.overlay.problem or f"○ {self.overlay.name}")
        return tuple(notes)

"""Rows of Home's lists: they lay themselves out for the width they are given."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from rich.cells import set_cell_size
from textual.content import Content
from textual.css.styles import RulesMap
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions, Visual

from engine.run_state import Status
from engine.run_summary import RunSummary
from engine.text import plain
from tui.output import ago
from tui.run_words import last_metric

STATUS_LOOKS: dict[Status, tuple[str, str]] = {
    "starting": ("◌", "$text-muted"),
    "running": ("▶", "$primary"),
    "paused": ("‖", "$warning"),
    "finished": ("✓", "$success"),
    "stopped": ("■", "$text-muted"),
    "failed": ("✗", "$error"),
    "died": ("†", "$error"),
}
"""Symbol and colour of each state; the word always stands beside them."""
BAR_FROM_WIDTH = 84
BAR_CELLS = 12
AGE_CELLS = 11
METRIC_CELLS = 20
PERCENT_CELLS = 5


class Row(Visual):
    """One line that lays itself out for the width it is given; equal rows look the same."""

    @abstractmethod
    def line(self, width: int) -> Content:
        """The line; what is too long for `width` is cut off it."""

    def render_strips(self, width: int, height: int | None, style: Style, options: RenderOptions) -> list[Strip]:
        """The line, cut to `width`."""
        return self.line(width).truncate(width, ellipsis=True).render_strips(width, height, style, options)

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        """As wide as there is room."""
        return container_width

    def get_height(self, rules: RulesMap, width: int) -> int:
        """Always one line."""
        return 1


@dataclass(frozen=True)
class TextRow(Row):
    """A mark in colour, a text, and a remark."""

    mark: str
    colour: str
    text: str
    remark: str = ""

    def line(self, width: int) -> Content:
        """All three, one after the other."""
        return Content.assemble((self.mark, self.colour), self.text, (self.remark, "$text-muted"))


@dataclass(frozen=True)
class RunRow(Row):
    """State, name, progress, last metric and age of a run."""

    status: Status
    name: str
    share: float | None
    """Share of its steps that it has taken."""
    metric: str
    when: str

    def line(self, width: int) -> Content:
        """Columns; the name gets what the others leave, and the bar is left out where it is narrow."""
        with_bar = width >= BAR_FROM_WIDTH
        taken = 2 + 10 + PERCENT_CELLS + 2 + METRIC_CELLS + 2 + AGE_CELLS + (BAR_CELLS + 1 if with_bar else 0)
        symbol, colour = STATUS_LOOKS[self.status]
        percent = f"{self.share:.0%}" if self.share is not None and self.status != "finished" else ""
        parts: list[str | Content | tuple[str, str]] = [
            (f"{symbol} {self.status:<10}", colour),
            _cells(self.name, max(8, width - taken)),
        ]
        if with_bar:
            parts += [" ", _bar(self.share, colour)]
        parts += [
            f"{percent:>{PERCENT_CELLS}}  ",
            _cells(self.metric, METRIC_CELLS),
            ("  " + self.when.rjust(AGE_CELLS)[:AGE_CELLS], "$text-muted"),
        ]
        return Content.assemble(*parts)


def run_row(run: RunSummary, now: float) -> RunRow:
    """The row of `run` at the instant `now`, in seconds since the epoch."""
    return RunRow(run.status, plain(run.name), progress(run), last_metric(run.state), since(run, now))


def progress(run: RunSummary) -> float | None:
    """Share of its steps that the run has taken, None before its engine said how many there are."""
    total = run.state.total_steps
    return min(1.0, run.state.step / total) if total else None


def since(run: RunSummary, now: float) -> str:
    """How long a run that goes on still takes, or how long ago another one ended."""
    if run.status == "running" and run.state.eta_s is not None:
        return f"{_duration(run.state.eta_s)} left"
    if run.status in ("running", "starting"):
        return ""
    return ago(max(0.0, now - run.changed_at))


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _bar(share: float | None, colour: str) -> Content:
    done = round((share or 0.0) * BAR_CELLS)
    return Content.assemble(("━" * done, colour), ("─" * (BAR_CELLS - done), "$text-muted"))


def _cells(text: str, width: int) -> str:
    """`text` in exactly `width` cells, with an ellipsis where something was cut."""
    fitted = set_cell_size(text, width)
    return fitted if fitted.rstrip() == text.rstrip() or width < 2 else set_cell_size(text, width - 1) + "…"

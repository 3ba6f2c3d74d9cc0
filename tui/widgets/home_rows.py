"""Rows of Home's lists: they lay themselves out for the width they are given."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import set_cell_size
from textual.content import Content
from textual.css.styles import RulesMap
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions, Visual

from engine.run_state import ENDED, Status
from engine.run_summary import RunSummary
from engine.text import plain
from tui.output import ago
from tui.run_words import Metric, metric_of, number

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
SLIM_BELOW, WIDE_FROM = 70, 84
"""Cells below which ages and values are in few words, and from which there is room for a bar."""
UNITS = (("d", 86400), ("h", 3600), ("min", 60))
STATUS_CELLS = 12
BAR_CELLS = 12
PERCENT_CELLS = 5
GAP = "  "


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


class Span(NamedTuple):
    """A time from now, or until now."""

    words: str
    brief: str
    """The same in six cells: `17m`."""


class Columns(NamedTuple):
    """Cells of what stands right of a run's name."""

    bar: int
    metric: int
    age: int

    @property
    def taken(self) -> int:
        """Cells that are no name."""
        bar = self.bar + 1 if self.bar else 0
        return STATUS_CELLS + bar + PERCENT_CELLS + len(GAP) + self.metric + len(GAP) + self.age


SLIM, PLAIN, WIDE = Columns(0, 10, 6), Columns(0, 20, 11), Columns(BAR_CELLS, 25, 11)


@dataclass(frozen=True)
class RunRow(Row):
    """State, name, progress, metric and age of a run."""

    status: Status
    name: str
    share: float | None
    """Share of its steps that it has taken."""
    metric: Metric | None
    """The best of a run that has ended, else the last."""
    when: Span
    took: str

    def line(self, width: int) -> Content:
        """Columns; the name gets what the others leave, and the bar is left out where it is narrow."""
        columns = SLIM if width < SLIM_BELOW else WIDE if width >= WIDE_FROM else PLAIN
        symbol, colour = STATUS_LOOKS[self.status]
        is_done = self.status == "finished"
        percent = "" if self.share is None or is_done else f"{self.share:.0%}"
        # a name too long takes the cells of a share that is not told
        spare = 0 if percent or columns.bar else PERCENT_CELLS
        parts: list[str | Content | tuple[str, str]] = [
            (f"{symbol} {self.status:<{STATUS_CELLS - 2}}", colour),
            _cells(self.name, max(8, width - columns.taken) + spare),
        ]
        if columns.bar:
            parts += [" ", (f"{self.took:<{BAR_CELLS}}", "$text-muted") if is_done else _bar(self.share, colour)]
        when = self.when.brief if columns is SLIM else self.when.words
        parts += [
            f"{percent:>{PERCENT_CELLS - spare}}{GAP}",
            _cells(self._metric_in_words(columns), columns.metric),
            (GAP + when.rjust(columns.age)[: columns.age], "$text-muted"),
        ]
        return Content.assemble(*parts)

    def _metric_in_words(self, columns: Columns) -> str:
        if self.metric is None:
            return ""
        if columns is SLIM:
            return self.metric.value
        words = f"{self.metric.key} {self.metric.value}"
        return f"best {words}" if columns is WIDE and self.metric.is_best else words


def run_row(run: RunSummary, now: float) -> RunRow:
    """The row of `run` at the instant `now`, in seconds since the epoch."""
    seconds = run.state.elapsed_s
    took = f"took {seconds:.1f} s" if seconds < 10 else f"took {clock(seconds)}"
    return RunRow(run.status, plain(run.name), progress(run), best_or_last(run), since(run, now), took)


def best_or_last(run: RunSummary) -> Metric | None:
    """What a run came to: the best of one that has ended, if it was measured; else the last."""
    best = run.state.best if run.status in ENDED else None
    return metric_of(run.state) if best is None else Metric(plain(best.metric), number(best.value), is_best=True)


def progress(run: RunSummary) -> float | None:
    """Share of its steps that the run has taken, None before its engine said how many there are."""
    total = run.state.total_steps
    return min(1.0, run.state.step / total) if total else None


def since(run: RunSummary, now: float) -> Span:
    """How long a run that goes on still takes, or how long ago another one ended."""
    if run.status == "running" and run.state.eta_s is not None:
        count, unit = _duration(run.state.eta_s)
        return Span(f"{count} {unit} left", f"in {count}{unit[0]}")
    if run.status in ("running", "starting"):
        return Span("", "")
    seconds = max(0.0, now - run.changed_at)
    for unit, size in UNITS:
        if seconds >= size:
            return Span(ago(seconds), f"{seconds // size:.0f}{unit[0]}")
    return Span(ago(seconds), "now" if seconds < 10 else f"{seconds:.0f}s")


def _duration(seconds: float) -> tuple[str, str]:
    for unit, size in UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f}", unit
    return f"{seconds:.0f}", "s"


def clock(seconds: float) -> str:
    """`0:07`, `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _bar(share: float | None, colour: str) -> Content:
    done = round((share or 0.0) * BAR_CELLS)
    return Content.assemble(("━" * done, colour), ("─" * (BAR_CELLS - done), "$text-muted"))


def _cells(text: str, width: int) -> str:
    """`text` in exactly `width` cells, with an ellipsis where something was cut."""
    fitted = set_cell_size(text, width)
    return fitted if fitted.rstrip() == text.rstrip() or width < 2 else set_cell_size(text, width - 1) + "…"

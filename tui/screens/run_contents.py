"""The panes of a run, and what each of them shows."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from textual.app import ComposeResult
from textual.widget import Widget

from engine.run_state import ENDED
from tui.run_follower import RunFollower
from tui.screens.run_charts import RunCharts
from tui.screens.run_facts import log_key, log_lines
from tui.screens.run_panes import PaneGrid
from tui.screens.run_pictures import RunPictures
from tui.widgets.chart import Chart
from tui.widgets.figure_view import FigureView
from tui.widgets.log_pane import LogPane


class RunPanes(PaneGrid):
    """Two charts, a picture and the log.

    Args:
        follower: The run.
        charts: Which curves the charts show.
        pictures: Which picture is shown.
    """

    def __init__(self, follower: RunFollower, charts: RunCharts, pictures: RunPictures) -> None:
        super().__init__(id="run-panes")
        self._follower, self._charts, self._pictures = follower, charts, pictures
        self._log_shown: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """All panes, on screen or not."""
        yield Chart(id="run-loss")
        yield Chart(id="run-metric")
        yield FigureView(self._charts.of_metrics, id="run-figure")
        yield LogPane(id="run-log")

    def in_order(self) -> list[Widget]:
        """The panes that this run has something for."""
        return [pane for pane in self.children if pane.id != "run-metric" or self._charts.second_keys()]

    def label(self, pane: Widget) -> str:
        """What `pane` is called."""
        match pane.id:
            case "run-loss":
                return "loss"
            case "run-metric":
                return self._charts.figure_in_second_pane() or self._charts.second_title()
            case "run-figure":
                return self._pictures.chosen or "pictures"
        return "log"

    def fill(self, pane_ids: AbstractSet[str], urgent: bool = False) -> None:
        """Show in some of the panes what is known by now.

        Args:
            pane_ids: Which.
            urgent: Whether somebody waits for the curves; they are drawn no more often than is cheap otherwise.
        """
        for chart_id, build in (("run-loss", self._charts.loss), ("run-metric", self._charts.metric)):
            if chart_id in pane_ids:
                self.query_one(f"#{chart_id}", Chart).offer(*build(), urgent=urgent)
        if "run-figure" in pane_ids:
            self._show_picture()
        if "run-log" in pane_ids and log_key(self._follower) != self._log_shown:
            self._log_shown = log_key(self._follower)
            self.query_one(LogPane).show(log_lines(self._follower))

    def _show_picture(self) -> None:
        pictures, view = self._pictures, self.query_one(FigureView)
        view.marker = self._charts.settings.marker
        if not pictures.chosen:
            ended = self._follower.status in ENDED
            view.show(None, "this run drew no pictures" if ended else "pictures come with the first evaluation")
        elif pictures.begin():
            self.run_worker(self._load_picture(), group="figure")
        if pictures.shown is not None:
            view.show(pictures.shown, pictures.place(), self._charts.key_of_metrics())

    async def _load_picture(self) -> None:
        await self._pictures.load()
        if self.is_attached:
            self._show_picture()

"""All that viewers make of a run and its pictures, without a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from engine import events as ev
from engine.run_folder import RunFolder
from engine.run_report import report
from engine.run_state import RunState, Status
from engine.run_summary import RunSummary, status_of
from tests.tui.test_widgets_figures import PALETTE
from tui.describe import about_run
from tui.run_follower import RunFollower
from tui.run_preview import preview_of
from tui.screens.run_charts import SCALES, ChartSettings, RunCharts
from tui.screens.run_facts import banner, header_facts, log_key, log_lines
from tui.screens.run_pictures import RunPictures
from tui.show import in_words
from tui.widgets.chart import Chart
from tui.widgets.curves import Curve, Role
from tui.widgets.extents import Look
from tui.widgets.figure_view import FigureView, read_figure
from tui.widgets.home_rows import run_row
from tui.widgets.log_pane import LogPane
from tui.widgets.run_header import RunHeader, _identity, _progress

WIDTH, HEIGHT = 80, 20
NOW = 1_800_000_000.0
CURVES = [Curve("loss", np.array([1.0, 2.0]), np.array([3.0, 2.0]), Role.TRAIN)]
STATUSES: tuple[Status, ...] = ("starting", "running", "paused", "finished", "stopped", "failed", "died")


def draw_all(folder: RunFolder, state: RunState) -> str:
    """Everything that Home, the run screen and the command line show of a run; returns it as text."""
    follower = RunFollower(folder, lambda: NOW)
    follower.state, follower.is_caught_up, follower.read_share = state, True, 1.0
    told: list[str] = [in_words(folder, state, status_of(folder, state)), json.dumps(report(folder, state, "failed"))]
    preview = preview_of(folder)
    for status in STATUSES:
        follower.status = status
        told += [banner(follower, True).plain if banner(follower, True) else "", *_header(follower)]
        summary = RunSummary(folder.name, folder.path, status, state, NOW)
        told.append(run_row(summary, NOW).line(100).plain)
        told += [strip_text(line) for line in _lines(about_run(summary, preview))]
    log_key(follower)
    pane = LogPane()
    pane._wrapped_for = 60
    pane._lines = tuple(log_lines(follower))
    pane._wrap()
    told.append(pane.text())
    # another view of it for every other number of events
    scale, log_y = SCALES[state.version % 3], bool(state.version % 2)
    told += _charts(follower, ChartSettings(log_y=log_y, scale=scale, smoothing=0.9 * (state.version % 5 == 0)))
    pictures = RunPictures(follower, lambda: "")
    if pictures.chosen:
        told += [pictures.title, pictures.place()]
        pictures.begin()
        pictures.step(-1)
        pictures.choose_next()
    return "\n".join(told)


def _header(follower: RunFollower) -> list[str]:
    facts = header_facts(follower, "")
    header = RunHeader(follower.folder.name)
    header._facts = facts
    return [_identity(facts, WIDTH).plain, _progress(facts, WIDTH).plain, header._gauges(WIDTH).plain]


def _charts(follower: RunFollower, settings: ChartSettings) -> list[str]:
    charts, told = RunCharts(follower, settings), list[str]()
    for build in (charts.loss, charts.metric):
        chart = Chart()
        key, make, look = build()
        hash((key, look))
        chart._content = make()
        told += [chart._notes(), chart._content.title]
        told += [strip_text(strip) for strip in chart.draw(WIDTH, HEIGHT, PALETTE)]
    return told


def _lines(lines: Any) -> list[Any]:
    return list(lines._wrapped(WIDTH).plain.splitlines())


def strip_text(strip: Any) -> str:
    """A line of the screen without its colours."""
    return strip if isinstance(strip, str) else "".join(segment.text for segment in strip)


def draw_figure(path: Path, kind: str, title: str = "Title") -> str:
    """The picture at `path` as the run screen draws it, small and large; returns it as text."""
    event = ev.FigureDrawn(step=1, at=0, name=path.stem, kind=kind, title=title, file=path.name)
    view = FigureView(lambda keys: (CURVES, [], Look()))
    view._figure = read_figure(path.parent, event)
    strips = [*view.draw(40, 8, PALETTE), *view.draw(WIDTH, HEIGHT, PALETTE)]
    return "\n".join(map(strip_text, strips))

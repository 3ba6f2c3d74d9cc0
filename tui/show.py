"""`dltui show`."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from engine import events as ev
from engine.own_file import check_own_folder
from engine.run_folder import RunFolder, RunFolderError, find_run
from engine.run_report import report
from engine.run_state import RunState, Status
from engine.run_summary import status_of
from engine.schema import RunConfig
from engine.text import plain, plain_lines
from presets import PresetError, load_preset
from presets.loader import find_preset
from tui.errors import CommandError
from tui.layers import show_layers
from tui.output import STATUS_STYLES, can_show, print_json, styled, width
from tui.run_words import are_verdicts, loss_keys, measured_keys, number, progress
from tui.settings_help import shown
from tui.widgets.curves import CYCLE, Curve, Role
from tui.widgets.extents import Look, Mark
from tui.widgets.plot import draw_chart

LINES_SHOWN = 8
CHECKPOINTS_SHOWN = 100
CHART_COLUMNS, CHART_LINES = 80, 12
BRAILLE = "⣿"


def show(args: Namespace) -> int:
    """`dltui show RUN`, or `dltui show PRESET --layers`."""
    if args.layers:
        return show_layers(args)
    if args.settings:
        raise CommandError("settings go with --layers, as in dltui show mnist-mlp --layers --model.hidden 64")
    folder = _find(args)
    reader, state = folder.read_history(), RunState()
    state.apply_all(reader.read_all())
    status = status_of(folder, state)
    if args.json:
        print_json(report(folder, state, status))
    else:
        print(in_words(folder, state, status))
    for damage in reader.damages[:3]:
        print(f"dltui: warning: {damage}; the rest of the run is shown", file=sys.stderr)
    return 0


def _find(args: Namespace) -> RunFolder:
    try:
        return find_run(args.runs, args.run)
    except RunFolderError:
        if find_preset(args.run):
            name = plain(args.run)
            raise CommandError(f"'{name}' is a preset, and no run; its network: dltui show {name} --layers") from None
        raise


def in_words(folder: RunFolder, state: RunState, status: Status) -> str:
    """Everything a person asks of a run, as text."""
    head = f"{styled(plain(folder.name), 'bold')}  {styled(status, STATUS_STYLES[status])}"
    facts = [(label, text) for label, text in _facts(folder, state, status) if text]
    margin = max(len(label) for label, _ in facts) + 2
    lines = [head, *(f"  {styled(f'{label:<{margin}}', 'dim')}{text}" for label, text in facts)]
    for chart in _charts(state):
        lines += ["", *chart]
    if state.lines:
        lines += ["", *(_log_line(line.at, line.text) for line in state.lines[-LINES_SHOWN:])]
    return "\n".join([*lines, *_failure(folder, state, status)])


def _facts(folder: RunFolder, state: RunState, status: Status) -> Iterator[tuple[str, str]]:
    try:
        config = folder.config()
    except RunFolderError as error:
        yield "config", str(error)
    else:
        yield "title", plain(config.title)
        yield "preset", _origin(config)
        yield "data", config.data.kind
    if state.started:
        started = state.started
        threads = f"{started.threads} thread{'s' * (started.threads != 1)}"
        yield "device", f"{plain(started.device_name)} ({plain(started.device)}), {threads}"
        yield "size", f"{started.parameters:,} parameters, {started.train_rows:,} rows, {started.val_rows:,} held out"
        speed = f", {state.step / state.elapsed_s:,.0f} steps/s" if state.elapsed_s else ""
        yield (
            "progress",
            f"{progress(state)}, step {state.step:,} of {state.total_steps:,}, {state.elapsed_s:,.1f} s{speed}",
        )
    if state.base_lr is not None:
        yield "optimizer.lr", f"{state.base_lr:g}, changed while it ran"
    for key, value in state.latest.items():
        yield plain(key), number(value)
    if state.best:
        best = state.best
        yield "best", f"{plain(best.metric)} {number(best.value)} at epoch {best.epoch:,}, step {best.step:,}"
    yield "checkpoints", _checkpoints(folder)
    yield "folder", plain(str(folder.path))
    if status == "died":
        yield "cure", f"its engine is gone; it goes on from its last checkpoint with: dltui resume {plain(folder.name)}"


def _origin(config: RunConfig) -> str:
    if not config.preset:
        return ""
    try:
        preset = load_preset(config.preset)
    except PresetError:
        return f"{plain(config.preset)}, which is not here"
    changes = list(differences(preset.config, config))
    return f"{plain(config.preset)}, " + (f"with {', '.join(changes)}" if changes else "unchanged")


def differences(before: RunConfig, after: RunConfig) -> Iterator[str]:
    """`optimizer.lr 0.01 (was 0.001)` for each field of `after` that is not as `before` has it."""
    old, new = _flat(before), _flat(after)
    for path, value in new.items():
        if path not in old:
            yield f"{path} {plain(shown(value))}"
        elif old[path] != value:
            yield f"{path} {plain(shown(value))} (was {plain(shown(old[path]))})"


def _flat(config: RunConfig) -> dict[str, Any]:
    sections = {name: value for name, value in config.model_dump(mode="json").items() if isinstance(value, dict)}
    return {f"{name}.{key}": value for name, fields in sections.items() for key, value in fields.items()}


def _checkpoints(folder: RunFolder) -> str:
    try:
        check_own_folder(folder.checkpoints)
        names = (path.name for path in folder.checkpoints.iterdir() if path.name[:1] != ".")
        return ", ".join(sorted(map(plain, islice(names, CHECKPOINTS_SHOWN))))
    except OSError:
        return ""


def _charts(state: RunState) -> Iterator[list[str]]:
    """The losses and, where there is something else, what is measured over the steps."""
    if not can_show(BRAILLE):
        return
    marks = [Mark(marker.step, plain(marker.label)) for marker in state.markers]
    for keys in (loss_keys(state), measured_keys(state)):
        curves = [curve for key, role in zip(keys, CYCLE, strict=False) if (curve := _curve(state, key, role))]
        if curves:
            look = Look(ends=(0.0, 1.0) if are_verdicts(keys) else None)
            rows = draw_chart(curves, marks, min(width(), CHART_COLUMNS), CHART_LINES, look)
            yield ["".join(run.text for run in row).rstrip() for row in rows]


def _curve(state: RunState, key: str, role: Role) -> Curve | None:
    """The values of `key`, None where there are not two to join."""
    series = state.series.get(key)
    if series is None or len(series) < 2:
        return None
    return Curve(plain(key), np.array(series.steps, dtype=float), np.array(series.values), role)


def _log_line(at: float, text: str) -> str:
    return f"  {styled(time.strftime('%H:%M:%S', time.localtime(at)), 'dim')}  {plain(text)}"


def _failure(folder: RunFolder, state: RunState, status: Status) -> Iterator[str]:
    if status != "failed" or not isinstance(state.ending, ev.RunFailed):
        return
    yield ""
    if state.ending.traceback:
        yield plain_lines(state.ending.traceback).rstrip()
    yield f"{styled('failed', 'red')}: {plain(state.ending.error)}"
    yield (
        f"mend it by: {plain(state.ending.cure)}"
        if state.ending.cure
        else f"try again: dltui resume {plain(folder.name)}"
    )

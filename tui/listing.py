"""`dltui presets` and `dltui runs`."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

from engine.run_folder import RunFolder, iter_runs
from engine.run_report import report
from engine.run_summary import RunSummary, summarize
from engine.text import plain
from presets import Preset, load_presets
from tui.errors import CommandError
from tui.output import STATUS_STYLES, ago, print_json, styled, table, width
from tui.run_words import last_metric, progress

TEXT_COLUMNS = 100
NEWEST = 200
"""Runs in the table unless --all is given: each is read, and nobody reads a table of thousands."""


def presets(args: Namespace) -> int:
    """`dltui presets`."""
    found, errors = load_presets()
    if args.json:
        print_json([_preset_object(preset) for preset in found])
    else:
        print(_presets_in_words(found))
    for error in errors:
        print(f"dltui: warning: {error}", file=sys.stderr)
    return 0


def _preset_object(preset: Preset) -> dict[str, Any]:
    config = preset.config
    return {
        "name": preset.name,
        "title": config.title,
        "teaches": config.teaches,
        "group": config.group,
        "data": config.data.kind,
        "parameters": config.parameter_count(),
        "steps_per_epoch": config.steps_per_epoch(),
        "path": str(preset.path),
        "config": config.model_dump(mode="json"),
    }


def _presets_in_words(found: list[Preset]) -> str:
    names = max((len(preset.name) for preset in found), default=0) + 2
    columns = min(width(), TEXT_COLUMNS)
    lines: list[str] = []
    for group, members in groupby(found, key=_group):
        lines += ["", styled(group, "bold")] if lines else [styled(group, "bold")]
        for preset in members:
            config = preset.config
            count = config.parameter_count()
            size = "parameters by its file" if count is None else f"{count:,} parameter{'s' if count != 1 else ''}"
            lines.append(f"  {styled(f'{preset.name:<{names}}', 'cyan')}{plain(config.title)}")
            about = [*textwrap.wrap(plain(config.teaches), max(20, columns - names - 2)), f"{config.data.kind}, {size}"]
            lines += [" " * (names + 2) + styled(line, "dim") for line in about]
    return "\n".join(lines)


def _group(preset: Preset) -> str:
    return "Your own" if preset.is_users else plain(preset.config.group) or "Other"


def runs(args: Namespace) -> int:
    """`dltui runs`."""
    folders = runs_in(args.runs)
    older = 0 if args.json or args.all else max(0, len(folders) - NEWEST)
    found = list(_summaries(folders[: len(folders) - older]))
    if args.json:
        print_json([_run_object(summary) for summary in found])
    elif found:
        rows = [_run_row(summary) for summary in found]
        styles = [STATUS_STYLES[summary.status] for summary in found]
        print(table(["run", "state", "progress", "metric", "changed"], rows, styles))
    else:
        print(no_runs(args.runs), file=sys.stderr)
    if older:
        print(f"dltui: {older:,} older runs are not listed; all of them: dltui runs --all", file=sys.stderr)
    return 0


def runs_in(folder: Path) -> list[RunFolder]:
    """All runs in `folder`, most recently changed first; none if it is not there yet.

    Raises:
        CommandError: it can't be read.
    """
    try:
        os.scandir(folder).close()
    except FileNotFoundError:
        return []
    except OSError as error:
        reason = (error.strerror or "can't be read").lower()
        raise CommandError(f"{plain(str(folder))}: {reason}; choose another folder with --runs or DLTUI_RUNS") from None
    return list(iter_runs(folder))


def no_runs(folder: Path) -> str:
    """What to say where there is nothing to list."""
    return f"no runs in {plain(str(folder))} yet; make one: dltui train spiral-relu"


def _summaries(folders: list[RunFolder]) -> Iterator[RunSummary]:
    for folder in folders:
        with suppress(OSError):  # removed between being listed and being read
            yield summarize(folder)


def _run_object(summary: RunSummary) -> dict[str, Any]:
    state = summary.state
    extra = {"of_epochs": state.epochs, "of_steps": state.total_steps, "changed_at": round(summary.changed_at, 3)}
    return {**report(RunFolder(summary.path), state, summary.status), **extra}


def _run_row(summary: RunSummary) -> list[str]:
    state = summary.state
    age = ago(max(0.0, time.time() - summary.changed_at))
    return [plain(summary.name), summary.status, progress(state), last_metric(state), age]

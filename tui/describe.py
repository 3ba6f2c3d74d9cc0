"""Presets and runs in a few lines, for the pane beside Home's lists."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from textual.content import Content

from engine.events import RunFailed
from engine.run_folder import RunFolder
from engine.run_summary import RunSummary
from engine.schema import DataFacts
from engine.text import plain
from presets import Preset, PresetError
from tui.draft import run_size, text_of
from tui.launcher import last_words
from tui.paths import shown
from tui.run_preview import UNREAD, RunPreview
from tui.run_words import last_metric
from tui.widgets.home_rows import STATUS_LOOKS, clock, progress
from tui.widgets.lines import Fact, Lines
from tui.widgets.spark import spark

FIRST_SECTIONS = ("data", "model", "optimizer")
LAST_SECTIONS = ("task", "schedule")
SPARK_CELLS, SPARK_ROWS = 24, 2
"""Of the curve of a run's loss: narrow enough for the pane of any terminal."""


def about_preset(preset: Preset, facts: DataFacts) -> Lines:
    """What a preset teaches and what it is made of.

    Args:
        preset: The preset.
        facts: What is known of its data.
    """
    config = preset.config
    lines: list[Content | Fact] = []
    if config.teaches:
        lines += [Content.styled(plain(config.teaches), "italic"), Content("")]
    lines += _sections(preset, FIRST_SECTIONS)
    size, trainer = run_size(config, facts), config.trainer
    if size.parameters is not None:
        lines.append(Fact("parameters", f"{size.parameters:,}"))
    length = _count(trainer.epochs, "epoch")
    if size.steps_per_epoch is not None:
        length += f" of {_count(size.steps_per_epoch, 'step')}"
    batch = "full batch" if trainer.batch_size == "full" else f"batches of {trainer.batch_size:,}"
    lines.append(Fact("length", f"{length}, {batch}"))
    lines.append(Fact("samples", _samples(facts)))
    lines += _sections(preset, LAST_SECTIONS)
    if preset.is_users:
        lines.append(Fact("file", shown(preset.path)))
    lines.append(Fact("name", preset.name))
    doc = " ".join((type(config.data).__doc__ or "").split())
    if doc:
        lines += [Content(""), Content.styled(f"{config.data.kind}: {doc}", "$text-muted")]
    return Lines(lines)


def _samples(facts: DataFacts) -> str:
    """What goes in, what comes out, and how many of them there are."""
    if facts.input_shape is None:
        return "known once the file is read"
    parts = [f"{_inputs(facts, facts.input_shape)} → {_outputs(facts)}"]
    if facts.train_rows is not None:
        parts.append(f"{facts.train_rows:,} to train on")
    if facts.val_rows:
        parts.append(f"{facts.val_rows:,} held out")
    return ", ".join(parts)


def _inputs(facts: DataFacts, shape: tuple[int, ...]) -> str:
    if facts.inputs == "image":
        return f"{'x'.join(map(str, shape))} image"
    return _count(shape[0], "token" if facts.inputs == "tokens" else "feature")


def _outputs(facts: DataFacts) -> str:
    if facts.targets == "binary":
        return "yes or no"
    if facts.outputs is None:
        return "classes"
    if facts.targets == "numbers":
        return _count(facts.outputs, "number")
    return f"{facts.outputs} classes{' for each' if facts.targets == 'class-sequence' else ''}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _sections(preset: Preset, names: Sequence[str]) -> list[Fact]:
    return [Fact(name, _section(preset, name)) for name in names if name in preset.tree]


def _section(preset: Preset, section: str) -> str:
    """A section's kind, and what the preset says of it beyond the kind."""
    values: dict[str, Any] = getattr(preset.config, section).model_dump()
    named = [f"{key} {text_of(values[key])}" for key in preset.tree[section] if key != "kind" and key in values]
    return " · ".join(plain(part) for part in [values["kind"], *named])


def about_error(error: PresetError) -> Content:
    """What is wrong with a preset's file."""
    return Content.assemble(("✗ This file can't be used\n\n", "$error"), shown(str(error)))


def about_run(run: RunSummary, preview: RunPreview = UNREAD) -> Lines:
    """How a run stands, why it ended where that is worth telling, and what more was read of it."""
    state = run.state
    symbol, colour = STATUS_LOOKS[run.status]
    lines: list[Content | Fact] = [Content.assemble((f"{symbol} {run.status}", colour), _reason(run)), Content("")]
    if state.started is not None:
        share = progress(run)
        done = f"step {state.step:,} of {state.total_steps:,}" + (f" ({share:.0%})" if share is not None else "")
        lines.append(Fact("epoch", f"{state.epoch_under_way:,} of {state.epochs:,}, {done}"))
        lines.append(Fact("last", last_metric(state) or "nothing measured yet"))
        if state.best is not None:
            best = state.best
            lines.append(Fact("best", f"{plain(best.metric)} {best.value:.4g} in epoch {best.epoch:,}"))
        lines.append(Fact("trained", f"{clock(state.elapsed_s)} on {plain(state.started.device_name)}"))
        lines.append(Fact("parameters", f"{state.started.parameters:,}"))
        lines.append(Fact("started", time.strftime("%Y-%m-%d %H:%M", time.localtime(state.started.at))))
    if preview.preset:
        lines.append(Fact("preset", preview.preset))
    if curve := spark(preview.losses, SPARK_CELLS, SPARK_ROWS):
        lines.append(Content(""))
        for label, row in zip_longest([preview.loss_key], curve, fillvalue=""):
            lines.append(Fact(label, row))
    return Lines(lines)


def _reason(run: RunSummary) -> Content:
    ending = run.state.ending
    if isinstance(ending, RunFailed):
        cure = f"\n→ {plain(ending.cure)}" if ending.cure else ""
        return Content.assemble((f"  {plain(ending.error)}", "$error"), cure)
    if run.status == "died":
        return Content(f"  {_how_it_died(run)}")
    reason = getattr(ending, "reason", "")
    return Content(f"  {plain(reason)}" if reason else "")


def _how_it_died(run: RunSummary) -> str:
    if run.state.checkpoint is not None:
        return f"the engine is gone; r resumes from step {run.state.checkpoint.step:,}"
    return last_words(RunFolder(run.path)) or "the engine is gone; r starts it again"

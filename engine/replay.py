"""Runs a run again, with everything that people did to it at the same steps, to see that it comes out the same."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from engine import events as ev
from engine.checkpoint import Checkpoint, load_checkpoint
from engine.commands import AnyCommand, SetLearningRate, Stop
from engine.console import print_failure, train_shown
from engine.due import Due
from engine.lr_changes import LrChanges
from engine.run_folder import RunFolder, RunFolderError, create_run
from engine.schema import RunConfig, overlay, validate
from engine.text import plain

REACHED = "replayed as far as the run got"


class Comparison(NamedTuple):
    """A replay's weights beside those of the run it replays, at the same step."""

    replay: RunFolder
    device: str
    step: int
    commands: int
    """Changes of the learning rate that were made again."""
    tensors: int
    different: int
    """Tensors that are not the same, bit for bit."""
    largest_difference: float
    """Between two numbers in the same place; infinite where shapes differ."""

    @property
    def is_same(self) -> bool:
        """Whether every tensor is the same, bit for bit."""
        return self.different == 0


def replay(source: RunFolder, runs: Path, as_json: bool = False) -> Comparison | None:
    """Train a new run below `runs` as `source` was trained, up to the step of its last checkpoint, and compare.

    Args:
        source: The run.
        runs: The folder of all runs.
        as_json: As `engine.console.train_shown` has it.

    Returns:
        How the weights compare; None if the replay ended before it got there, which has been said.

    Raises:
        RunFolderError: there is nothing to replay, no folder can be made, or what it was trained on is not there.
        CheckpointError: the last checkpoint of either can't be read.
    """
    reference = _last_checkpoint(source)
    started, changes = _history(source)
    total = started.epochs * started.steps_per_epoch
    script = [Due(change.step, SetLearningRate(lr=change.lr)) for change in changes if change.step < reference.step]
    ending: list[AnyCommand] = [Stop(reason=REACHED)] if reference.step < total else []
    folder = create_run(runs, _config(source, started), source.data_dir(), _free_name(runs, source.name))
    script += [Due(reference.step, command) for command in ending]
    outcome = train_shown(folder, as_json, script, is_new=True)
    if outcome.failure or outcome.signal or isinstance(outcome.state.ending, ev.RunFailed):
        print_failure(outcome.state, outcome.failure)
        return None
    again = _last_checkpoint(folder)
    if again.step != reference.step:
        raise RunFolderError(f"the replay came to step {again.step:,}, not to {reference.step:,}")
    return compare(folder, started.device, reference, again, len(script))


def compare(folder: RunFolder, device: str, reference: Checkpoint, again: Checkpoint, commands: int) -> Comparison:
    """How two checkpoints' weights compare, bit for bit."""
    names = reference.weights.keys() | again.weights.keys()
    pairs = [(reference.weights.get(name), again.weights.get(name)) for name in sorted(names)]
    different = [pair for pair in pairs if not _same_bits(*pair)]
    largest = max((_difference(*pair) for pair in different), default=0.0)
    return Comparison(folder, device, reference.step, commands, len(pairs), len(different), largest)


def _same_bits(first: Tensor | None, second: Tensor | None) -> bool:
    if first is None or second is None or first.dtype != second.dtype or first.shape != second.shape:
        return False
    as_bytes = (tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in (first, second))
    return torch.equal(*as_bytes)


def _difference(first: Tensor | None, second: Tensor | None) -> float:
    if first is None or second is None or first.shape != second.shape or not first.numel():
        return float("inf")
    return float((first.double() - second.double()).abs().max())


def _last_checkpoint(folder: RunFolder) -> Checkpoint:
    path = folder.checkpoints / "last"
    if not path.exists():
        raise RunFolderError(f"run '{plain(folder.name)}' has no checkpoint yet that a replay could be compared with")
    return load_checkpoint(path)


def _history(source: RunFolder) -> tuple[ev.RunStarted, LrChanges]:
    """The last start of `source`, and the changes of its learning rate that count."""
    changes, started = LrChanges(), None
    for event in source.read_events().read_all():
        changes.apply(event)
        if isinstance(event, ev.RunStarted):
            started = event
    if started is None:
        raise RunFolderError(f"run '{plain(source.name)}' has not begun: there is nothing to replay")
    return started, changes


def _config(source: RunFolder, started: ev.RunStarted) -> RunConfig:
    """The configuration, on the same device and with as many threads: other numbers of threads add up to other bits."""
    over = {"trainer": {"threads": started.threads, "device": started.device}}
    return validate(overlay(source.config().model_dump(mode="json"), over))


def _free_name(runs: Path, name: str) -> str:
    stem = f"{name[:60]}-replay"
    number = 1
    while (runs / f"{stem}-{number}").exists():
        number += 1
    return f"{stem}-{number}"

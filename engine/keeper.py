"""What a run must not lose: where it stands, written down now and then, and found again."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import torch

from engine.batch_search import is_out_of_memory
from engine.capturable import make_plain
from engine.checkpoint import Checkpoint, CheckpointError, CheckpointStore, random_states, restore_random_states
from engine.data.bundle import DataError
from engine.guard import finite_weights
from engine.lr_changes import LrChange, LrChanges
from engine.optimizers import load_state
from engine.run_folder import RunFolder
from engine.tasks.base import Task
from engine.text import plain


@dataclass
class Progress:
    """Where a run stands between two steps: with weights, optimizers and random states all that a resume needs."""

    step: int = 0
    epoch: int = 0
    """Epochs that are over, their evaluations included."""
    elapsed_s: float = 0.0
    """Training time."""
    base_lr: float = 0.0
    """The optimizer's lr, as changed while the run went on."""
    best_value: float | None = None
    evaluations_since_best: int = 0
    due: list[LrChange] = field(default_factory=list)
    """Changes of the learning rate that were made before, at steps that a resume has yet to take again."""


class Keeper:
    """Writes the checkpoints of one run, and puts a task back into the state of one.

    Args:
        task: Whose state is kept.
        folder: The run.
        wait_until_logged: Returns once all events published so far are on disk, with the event log's size in bytes;
            None if that can't be known.
        warn: Takes a line for the run's log.
    """

    def __init__(
        self,
        task: Task,
        folder: RunFolder,
        wait_until_logged: Callable[[], int | None],
        warn: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._task, self._folder, self._wait_until_logged, self._warn = task, folder, wait_until_logged, warn
        self._store = CheckpointStore(folder.checkpoints)
        self._best: Checkpoint | None = None
        self._beginning: Checkpoint | None = None
        """How the run began, until there is a checkpoint to go back to."""
        self.last_step = 0
        """Step of the last checkpoint, 0 if there is none."""

    @property
    def run(self) -> str:
        """The run's name."""
        return self._folder.name

    @property
    def fallback(self) -> str:
        """What there is if the next checkpoint can't be written."""
        return "the one before it stays" if self._beginning is None else "there is none yet"

    def save(self, progress: Progress, is_kept: bool = False, is_owed: bool = True) -> str:
        """Write a checkpoint, and the best weights first if there are new ones; returns its name.

        The log goes first: whoever resumes from the checkpoint must find on disk all that led up to it.

        Args:
            progress: Where the run stands.
            is_kept: Whether a person asked for it, so that it stays.
            is_owed: Whether it must be written even if the log can't be waited for.

        Raises:
            OSError: it could not be written; the one before is still there.
        """
        log_bytes = self._wait_until_logged()
        if log_bytes is None and not is_owed:
            raise BlockingIOError(errno.EAGAIN, "the event log lags behind")
        if self._best is not None:
            self._store.save_best(self._best)
            self._best = None
        checkpoint = Checkpoint(progress.step, self._weights(), self._state(progress, log_bytes))
        name = self._store.save_step(checkpoint) if is_kept else self._store.save_last(checkpoint)
        self._beginning, self.last_step = None, progress.step
        return name

    def weights_are_finite(self) -> bool:
        """Whether all weights are finite: a checkpoint of others would take the place of a good one."""
        return finite_weights(self._task.modules)

    def keep_best(self, step: int, about: dict[str, Any]) -> None:
        """Remember the weights as the best so far. They are written with the next checkpoint: writing each improvement
        would cost short runs half their speed."""
        self._best = Checkpoint(step, self._weights(), about | {"data": self._task.data.card()})

    def write_best(self) -> None:
        """Write the best weights now, if they are not on disk yet: for a run that ends without another checkpoint."""
        if self._best is not None:
            with suppress(OSError):
                self._store.save_best(self._best)

    def begin(self, base_lr: float, steps_per_epoch: int) -> Progress:
        """Where the run stands: at its last checkpoint, with the task put into that state, or at its beginning.

        Raises:
            CheckpointError: the checkpoint can't be used.
            DataError: the data has changed since then.
        """
        checkpoint = self._store.load_last()
        if checkpoint is not None:
            self.last_step = checkpoint.step
            return self._check_and_take(checkpoint, steps_per_epoch)
        progress = Progress(base_lr=base_lr)
        weights = {name: value.to("cpu", copy=True) for name, value in self._weights(copy=False).items()}
        self._beginning = Checkpoint(0, weights, deepcopy(self._state(progress, 0)))
        progress.due = self._changes_after(self._beginning)
        return progress

    def go_back(self) -> Progress:
        """Put the task into the state of the last checkpoint, or of its beginning if there is none. What was best after
        that is forgotten.

        Raises:
            CheckpointError: the checkpoint can't be used.
        """
        self._wait_until_logged()
        self._best = None
        checkpoint = self._beginning or self._store.load_last()
        if checkpoint is None:
            raise CheckpointError(f"no checkpoint to go back to: {self._folder.checkpoints / 'last'} is gone")
        return self._take(checkpoint)

    def _check_and_take(self, checkpoint: Checkpoint, steps_per_epoch: int) -> Progress:
        path = self._folder.checkpoints / "last"
        try:
            self._check_same_data(checkpoint)
            torch.set_num_threads(checkpoint.state["threads"])  # another number adds up in another order: other bits
            progress = self._take(checkpoint)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError, ArithmeticError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise
            reason = plain(str(error))[:300]
            raise CheckpointError(
                f"checkpoint {path} is not one of this network and optimizer ({type(error).__name__}: {reason})"
            ) from None
        if not 0 <= progress.step - progress.epoch * steps_per_epoch <= steps_per_epoch:
            raise CheckpointError(
                f"checkpoint {path} is of step {progress.step:,} in epoch {progress.epoch + 1:,}, which can't be with "
                f"{steps_per_epoch:,} steps an epoch: put trainer.batch_size back to what it was"
            )
        return progress

    def _take(self, checkpoint: Checkpoint) -> Progress:
        state = checkpoint.state
        checkpoint.load_into(self._task.modules)
        for name, optimizer in self._task.optimizers.items():
            load_state(optimizer, state["optimizers"][name])
        make_plain(self._task.optimizers.values())
        self._task.load_extra_state(state["task"])
        restore_random_states(state["random"], self._task.device)
        known = {item.name: state[item.name] for item in fields(Progress) if item.name in state}
        progress = Progress(**known | {"due": []})
        progress.due = self._changes_after(checkpoint)
        return progress

    def _changes_after(self, checkpoint: Checkpoint) -> list[LrChange]:
        """What people have asked for since, and were told would be done: a crash must not undo it."""
        state, reader = checkpoint.state, self._folder.read_events()
        changes = LrChanges(LrChange(step, lr) for step, lr in state.get("due", ()))
        log_bytes = state.get("log_bytes")
        reader.offset = log_bytes or 0
        changes.apply_all(reader.read_all())
        # without an offset nothing tells which changes at that very step the checkpoint knows: it knows most likely all
        first = checkpoint.step + (log_bytes is None)
        return [change for change in changes if change.step >= first]

    def _weights(self, copy: bool = True) -> dict[str, torch.Tensor]:
        return {
            f"{name}.{key}": value.detach().clone() if copy else value.detach()
            for name, module in self._task.modules.items()
            for key, value in module.state_dict().items()
        }

    def _state(self, progress: Progress, log_bytes: int | None) -> dict[str, Any]:
        kept = asdict(progress) | {"due": [[change.step, change.lr] for change in progress.due]}
        del kept["step"]
        return kept | {
            "log_bytes": log_bytes,
            "threads": torch.get_num_threads(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self._task.optimizers.items()},
            "task": self._task.extra_state(),
            "data": self._task.data.card(),
            "random": random_states(self._task.device),
        }

    def _check_same_data(self, checkpoint: Checkpoint) -> None:
        """Weights mean nothing to other data: a word's number would be another word's. Other samples of the same kind
        may be meant, or be the same but for how another version of a library rounds."""
        before, now = checkpoint.state.get("data", {}), self._task.data.card()
        name = plain(getattr(self._task.config.data, "path", "") or "the data")
        changed = [key for key in before if key in now and before[key] != now[key]]
        others = [key.replace("_", " ") for key in changed if key != "digest"]
        if changed and not others:
            self._warn(
                f"{name} is not what it was at step {checkpoint.step:,} (as many rows, other contents): "
                "the run goes on with what is there now"
            )
        elif others:
            raise DataError(
                f"{name} is not what it was at step {checkpoint.step:,} (other {', '.join(others)}): "
                "put back what it was, or start a new run"
            )

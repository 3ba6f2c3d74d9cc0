"""When figures are drawn: often enough to be live, seldom enough not to be felt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.checkpoint import undisturbed_random_states
from engine.custom_code import in_words
from engine.data.bundle import DataBundle, Split
from engine.events import AnyEvent, FigureDrawn, LineLogged
from engine.figures import Figure, save_figure
from engine.tasks.base import Sample, Task

SHORTEST_S = 0.5
"""Between two drawings; nobody sees more."""
COST_RATIO = 100
"""Times longer than drawing took must pass before the next: at most 1 % of the time goes into figures."""
AGE_RATIO = 7200
"""Between two drawings passes at least one part in so many of the time an engine has been at work: what has been drawn
for hours changes slowly, and each picture drawn is a line of the log."""
SAMPLE_ROWS = 10_000
FEWEST_ROWS = 500
"""Drawn from in any case, and at first, when it is not known yet how long that takes."""
MOST_NUMBERS = 1 << 20
"""Outputs of an evaluation that are drawn from: with more, that takes longer than predicting a few rows again."""
LIVE_S, LONGEST_S = 0.1, 2.0
"""What drawing more rows than that may cost while training goes on, so that pictures stay live, and when it halts."""

Outputs = tuple[int, Sequence[Tensor]]
"""Steps taken, and what the model then made of every row, in pieces (rows, ...)."""
NO_OUTPUTS: Outputs = (-1, ())


class FigureStudio:
    """Draws a task's figures into the run's folder.

    Args:
        task: What draws.
        data: Held-out rows of it are drawn from, training rows where none are held out.
        folder: The run's `figures` folder.
        publish: Takes word of each figure.
    """

    def __init__(self, task: Task, data: DataBundle, folder: Path, publish: Callable[[AnyEvent], None]) -> None:
        self._task, self._folder, self._publish = task, folder, publish
        split = data.val or data.train
        self._lot = _lot_of(split)
        self._sample = _taken(split, self._lot).to(task.device)
        self._outputs: Outputs = NO_OUTPUTS
        _remove_drafts(folder)
        self._on_cuda = task.device.type == "cuda"
        self._is_warm, self._rows_per_s = not self._on_cuda, 0.0
        self._began_s = time.perf_counter()
        self._due_at_s = 0.0
        self._drawn_step = -1
        self._broken: set[str] = set()

    def draw_if_due(self, step: int) -> None:
        """Draw if the last time is long enough ago; asking is cheap."""
        if time.perf_counter() >= self._due_at_s:
            self.draw(step, LIVE_S)
        self._outputs = NO_OUTPUTS  # the next step makes them void

    def answers(self, step: int, outputs: Sequence[Tensor]) -> None:
        """Take what an evaluation has found the model to make of every row, in pieces (rows, ...), so that drawing the
        same step need not."""
        self._outputs = step, outputs

    def draw(self, step: int, budget_s: float = LONGEST_S) -> None:
        """Draw now, unless this very step has been drawn. A figure that can't be drawn is told of once.

        Args:
            step: Steps taken so far.
            budget_s: How long it may take, about, if it takes that to draw from all rows there are.
        """
        (answered, outputs), self._outputs = self._outputs, NO_OUTPUTS
        if step == self._drawn_step:
            return
        if self._on_cuda:
            torch.cuda.synchronize(self._task.device)  # what steps have still to do is no time of the drawing's
        began_s = time.perf_counter()
        self._drawn_step = step
        is_known = answered == step and 0 < sum(piece.numel() for piece in outputs) <= MOST_NUMBERS
        rows = min(len(self._sample), max(FEWEST_ROWS, self._affordable(budget_s)))
        with self._told_once(step), undisturbed_random_states(self._task.device):
            sample = self._sample_with(torch.cat([*outputs])) if is_known else self._first(rows)
            for figure in self._task.figures(sample):
                self._store(figure, step)
        now_s = time.perf_counter()
        took_s = now_s - began_s
        if not self._is_warm:  # kernels were loaded and chosen meanwhile, for seconds: that tells nothing of the next
            self._is_warm, took_s = True, 0.0
        elif not is_known:
            self._rows_per_s = rows / took_s
        self._due_at_s = now_s + max(SHORTEST_S, COST_RATIO * took_s, (now_s - self._began_s) / AGE_RATIO)

    def _affordable(self, budget_s: float) -> int:
        """Rows for which there is time. On CUDA a power of two: sizes that come again, since for each new one torch
        chooses its convolutions anew."""
        rows = int(budget_s * self._rows_per_s)
        return 1 << rows.bit_length() - 1 if self._on_cuda and rows else rows

    def _first(self, rows: int) -> Sample:
        return Sample(self._sample.inputs[:rows], self._sample.targets[:rows])

    def _sample_with(self, outputs: Tensor) -> Sample:
        """All there are, with (rows of the split, ...) outputs."""
        chosen = outputs if self._lot is None else outputs[self._lot]
        return Sample(self._sample.inputs, self._sample.targets, chosen)

    def forget(self) -> None:
        """Draw the same step again when asked to: its weights have become others, or its memory is wanted."""
        self._drawn_step = -1
        self._outputs = NO_OUTPUTS

    def keep(self, step: int, epoch: int) -> None:
        """Let the task end its epoch, and keep the pictures it gives."""
        with self._told_once(step), undisturbed_random_states(self._task.device):
            for figure in self._task.end_epoch(epoch):
                self._store(figure, step, epoch)

    @contextmanager
    def _told_once(self, step: int) -> Iterator[None]:
        try:
            with np.errstate(all="ignore"):  # of numbers that are not finite the loop tells
                yield
        except Exception as error:  # a network of somebody's own may raise anything: training goes on
            self._tell_once("figures", f"figures can't be drawn: {in_words(error)}", step)

    def _store(self, figure: Figure, step: int, epoch: int | None = None) -> None:
        try:
            file = save_figure(self._folder, figure, epoch)
        except OSError as error:
            self._tell_once(figure.name, f"figure {figure.name} can't be saved: {error.strerror}", step)
            return
        self._publish(
            FigureDrawn(
                step=step, name=figure.name, kind=figure.kind, title=figure.title, file=f"figures/{file}", epoch=epoch
            )
        )

    def _tell_once(self, what: str, text: str, step: int) -> None:
        if what not in self._broken:
            self._broken.add(what)
            self._publish(LineLogged(step=step, level="warning", text=text))


def _remove_drafts(folder: Path) -> None:
    """Remove what an engine that was killed had begun to draw; nobody else draws in this run."""
    with suppress(OSError):
        for draft in folder.glob(".*.npz"):
            draft.unlink(missing_ok=True)


def _lot_of(split: Split) -> Tensor | None:
    """(rows,) places of the rows to draw from, always the same ones; None for all.

    Where there are more than a figure may show, they are drawn by lot: data often lies sorted by class, and its first
    rows would then be of one class alone.
    """
    if len(split) <= FEWEST_ROWS:
        return None
    lot = torch.randperm(len(split), generator=torch.Generator().manual_seed(0))[:SAMPLE_ROWS]
    return lot.to(split.inputs.device)


def _taken(split: Split, lot: Tensor | None) -> Split:
    return split if lot is None else Split(split.inputs[lot], split.targets[lot])

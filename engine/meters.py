"""Measuring a step costs the loop an append; reading the numbers waits until a few steps can share one host sync."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import reduce

import msgspec
import torch
from torch import Tensor

from engine.channel import merge_rows
from engine.events import MetricsLogged, Publish
from engine.tasks.base import Observation, Task

ROWS_PER_RUN = 500
"""Rows an automatic interval aims at: more than a chart has columns."""
SHORTEST_ROW_S = 0.002
"""At this distance rows cost less than the noise."""
LONGEST_ROW_S = 0.25
"""A slow run still moves its chart four times a second."""
ROWS_WHEN_OLD = 100_000
"""Rows of an old run are handed on when they cover one part in so many of the training time, or when something else is
told of: what has been drawn for hours changes slowly. Those that were asked for share a line of the log then, and
automatic ones become one: a month's log has some 600,000, not ten million."""
FLUSH_S, FLUSH_WHEN_OLD_S, YOUNG_S = 0.1, 0.2, 10.0
"""Between two host syncs: in a run that has just begun, and from so many seconds of training on, when a curve no longer
grows with each row. Charts are drawn four times a second, and rows that are handed on together share a line."""
MOST_HELD_BYTES = 64 << 20
"""Of outputs that wait to be summed up: beyond that memory counts for more than a host sync."""


@dataclass(slots=True)
class _Row:
    step: int
    steps: int
    elapsed_s: float
    lr: float
    observations: list[Observation]
    gauged: Tensor | None
    """What gauges are worked out from, if there are any."""


class Meter:
    """Collects what steps observe into rows, and rows into events.

    Args:
        task: Says how observations are summed up.
        total_steps: Steps of the whole run, for the automatic interval.
        log_every: Steps per row; 0 for automatic.
        publish: Takes rows that are finished, some at a time.
    """

    def __init__(self, task: Task, total_steps: int, log_every: int, publish: Publish) -> None:
        self._task, self._publish = task, publish
        self._row_steps = log_every or max(1, total_steps // ROWS_PER_RUN)
        self._shortest_s = 0.0 if log_every else SHORTEST_ROW_S
        self._longest_s = math.inf if log_every else LONGEST_ROW_S
        self._observations: list[Observation] = []
        self._rows: list[_Row] = []
        self._finished: list[MetricsLogged] = []
        self._row_began_s = self._flush_due_s = self._handed_on_s = 0.0
        self._held_bytes = self._step_bytes = 0

    def restart(self, elapsed_s: float) -> None:
        """Begin to count at training time `elapsed_s`."""
        self._row_began_s = elapsed_s
        self._flush_due_s = self._handed_on_s = -math.inf  # somebody waits for the first row

    def add(self, observation: Observation, step: int, elapsed_s: float, lr: float) -> None:
        """Take what the step observed; now and then this closes a row and hands rows on."""
        self._observations.append(observation)
        row_s = elapsed_s - self._row_began_s
        if (len(self._observations) >= self._row_steps and row_s >= self._shortest_s) or row_s >= self._longest_s:
            self._close_row(step, elapsed_s, lr)
            if elapsed_s >= self._flush_due_s or self._held_bytes > MOST_HELD_BYTES:
                self._finish_rows()
                if self._are_due(elapsed_s):
                    self._hand_on()

    def forget(self) -> None:
        """Drop what was not handed on: it tells of steps that are void."""
        self._observations, self._rows, self._finished, self._held_bytes = [], [], [], 0

    def flush_all(self, step: int, elapsed_s: float, lr: float) -> None:
        """Close the row that is open, and hand everything on.

        Raises:
            NotFinite: as `flush`.
        """
        if self._observations:
            self._close_row(step, elapsed_s, lr)
        self.flush()

    def flush(self) -> None:
        """Hand on all closed rows, with one host sync.

        Raises:
            NotFinite: a loss was NaN or infinite; its row has been handed on.
        """
        self._finish_rows()
        self._hand_on()

    def _finish_rows(self) -> None:
        rows, self._rows, self._held_bytes = self._rows, [], 0
        if not rows:
            return
        elapsed_s = rows[-1].elapsed_s
        # rows that come one by one have nothing to wait for
        self._flush_due_s = elapsed_s + (FLUSH_S if elapsed_s < YOUNG_S or len(rows) == 1 else FLUSH_WHEN_OLD_S)
        measured = self._task.measure_rows([row.observations for row in rows])
        found = {f"train/{key}": column for key, column in measured.items()} | self._gauges(rows)
        numbers = to_floats(list(found.values()))
        columns = [numbers[first : first + len(rows)] for first in range(0, len(numbers), len(rows))]
        at = round(time.time(), 3)
        for row, *cells in zip(rows, *columns, strict=True):
            values = dict(zip(found, cells, strict=True))
            self._finished.append(
                MetricsLogged(
                    step=row.step,
                    at=at,
                    steps=row.steps,
                    elapsed_s=round(row.elapsed_s, 4),
                    lr=_short(row.lr),
                    values=values,
                )
            )
            if any(value is None and key.startswith("train/loss") for key, value in values.items()):
                self._hand_on()
                raise NotFinite(row.step, row.steps, row.lr)

    def _are_due(self, elapsed_s: float) -> bool:
        """Whether finished rows cover so much that they may be handed on; automatic ones may become one meanwhile."""
        least_s = elapsed_s / ROWS_WHEN_OLD
        if least_s > self._longest_s:
            self._finished = [_rounded(reduce(merge_rows, self._finished))]
        return elapsed_s - self._handed_on_s >= least_s

    def _hand_on(self) -> None:
        rows, self._finished = self._finished, []
        if rows:
            self._handed_on_s, at = rows[-1].elapsed_s, rows[-1].at
            # the instant is that of being told, and rows of one instant share a line of the log
            self._publish(*(row if row.at == at else msgspec.structs.replace(row, at=at) for row in rows))

    def _close_row(self, step: int, elapsed_s: float, lr: float) -> None:
        if not self._rows:
            self._step_bytes = sum(kept.nbytes for kept in self._observations[-1].values())
        self._held_bytes += len(self._observations) * self._step_bytes
        self._rows.append(_Row(step, len(self._observations), elapsed_s, lr, self._observations, self._task.gauged()))
        self._observations = []
        self._row_began_s = elapsed_s

    def _gauges(self, rows: list[_Row]) -> dict[str, Tensor]:
        gauged = [row.gauged for row in rows if row.gauged is not None]
        return self._task.gauges(torch.stack(gauged)) if gauged else {}


class NotFinite(ArithmeticError):
    """Something became NaN or infinite within the `steps` steps up to `step`, at learning rate `lr`.

    Args:
        step: The last step it may have been.
        steps: How many it may have been.
        lr: The learning rate, schedule included.
        what: `loss`, `weights`, or `gradient of` a parameter.
        layer: Where it was first seen, if somebody looked.
        is_found: Whether this step has been looked at before its update, so that the weights are still good.
    """

    def __init__(
        self, step: int, steps: int, lr: float, what: str = "loss", layer: str = "", is_found: bool = False
    ) -> None:
        when = f"at step {step:,}" if steps == 1 else f"between steps {step - steps + 1:,} and {step:,}"
        where = f", first in {layer}" if layer not in ("", "the loss itself") else ""
        super().__init__(f"the {what} became NaN or infinite {when}{where}, with learning rate {lr:.4g}")
        self.step, self.lr, self.is_found = step, lr, is_found
        self.base_lr = lr
        """The learning rate without the schedule's factor."""
        self.good_step = 0
        """Step of the checkpoint that a resume goes on from, 0 if there is none."""
        self.run = "RUN"


def _rounded(row: MetricsLogged) -> MetricsLogged:
    """With values to seven significant digits, as all are: means have more."""
    values = {key: None if value is None else _short(value) for key, value in row.values.items()}
    return msgspec.structs.replace(row, values=values)


def to_floats(tensors: list[Tensor]) -> list[float | None]:
    """All numbers of device tensors by one transfer, to seven significant digits; None where not finite."""
    if not tensors:
        return []
    flat = [tensor.reshape(-1) if tensor.dtype is torch.float32 else _wide(tensor).reshape(-1) for tensor in tensors]
    values = torch.cat(flat).tolist()
    return [_short(value) if math.isfinite(value) else None for value in values]


def _short(number: float) -> float:
    """To seven significant digits, more than a float32 has."""
    return float(f"{number:.7g}")


def _wide(tensor: Tensor) -> Tensor:
    """float64 keeps counts exact, but not every device has it."""
    return tensor.to(torch.float64 if tensor.device.type in ("cpu", "cuda") else torch.float32)

"""Many rows of metrics as one item: in columns, without an event for each."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass

from engine import events as ev
from engine.event_lines import RowsLogged, decode_line


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What one `MetricsLogged` after another says, with the heartbeats among them, in columns of equal length.

    Where among the rows the heartbeats stand makes no difference to what is known of a run after all of them.
    """

    events: int
    """How many events these are."""
    at: float
    """The latest of their instants."""
    step: int
    """The furthest of their steps."""
    heartbeat: ev.Heartbeat | None
    """The last of them."""
    steps: array[int]
    elapsed_s: array[float]
    lr: float
    """The last of them."""
    values: dict[str, array[float]]
    """By their keys; NaN where a value was not finite."""

    def __len__(self) -> int:
        return len(self.steps)

    @classmethod
    def of(cls, line: RowsLogged) -> Rows:
        """The rows that share a line of the log."""
        return cls(
            events=len(line.step),
            at=line.at,
            step=max(line.step),
            heartbeat=None,
            steps=array("q", line.step),
            elapsed_s=array("d", line.elapsed_s),
            lr=line.each_lr[-1],
            values={
                key: array("d", [math.nan if value is None else value for value in column])
                for key, column in line.values.items()
            },
        )


HistoryItem = ev.AnyEvent | Rows


def history_of(line: bytes) -> HistoryItem:
    """What a line of the log tells, as one item.

    Raises:
        msgspec.DecodeError: nothing that an engine writes.
    """
    told = decode_line(line)
    return Rows.of(told) if isinstance(told, RowsLogged) else told

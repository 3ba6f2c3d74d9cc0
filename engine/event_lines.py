"""Lines of the event log: an event each, but for rows of metrics that were handed on together, which share one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Annotated

import msgspec

from engine import events as ev
from engine.run_log import LINE_LIMIT_BYTES

MOST_NUMBERS = 1000
"""In a line. Lists of runs read but the last bytes of a log, which should be some lines."""
LONG_BYTES, MOST_CHARACTERS = 256 << 10, 20_000
"""A longer line has its texts cut, for the same reason; and what a reader takes for damage must not be written."""


class RowsLogged(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="event"):
    """Several `MetricsLogged` of the same metrics and instant, one after another: columns with a number for each.

    That takes a third of the bytes of a line for each row, and half the time to read.
    """

    steps: ev.Count | list[ev.Count]
    """One number if it is that of all rows, as `lr`."""
    lr: float | list[float]
    step: Annotated[list[ev.Count], msgspec.Meta(min_length=1, max_length=MOST_NUMBERS)]
    at: ev.Instant
    """Of all of them."""
    elapsed_s: list[ev.Duration]
    values: dict[ev.Name, list[float | None]]

    def __post_init__(self) -> None:
        columns: list[object] = [self.steps, self.lr, self.elapsed_s, *self.values.values()]
        if any(isinstance(column, list) and len(column) != len(self.step) for column in columns):
            raise ValueError("Expected columns of equal length")

    def __iter__(self) -> Iterator[ev.MetricsLogged]:
        each = zip(self.step, self.each_steps, self.elapsed_s, self.each_lr, strict=True)
        for row, (step, steps, elapsed_s, lr) in enumerate(each):
            values = {key: column[row] for key, column in self.values.items()}
            yield ev.MetricsLogged(step=step, at=self.at, steps=steps, elapsed_s=elapsed_s, lr=lr, values=values)

    @property
    def each_steps(self) -> list[int]:
        """`steps` of each row."""
        return self.steps if isinstance(self.steps, list) else [self.steps] * len(self.step)

    @property
    def each_lr(self) -> list[float]:
        """`lr` of each row."""
        return self.lr if isinstance(self.lr, list) else [self.lr] * len(self.step)


Line = ev.AnyEvent | RowsLogged

decode_line = msgspec.json.Decoder(Line).decode


def events_of(line: bytes) -> Iterable[ev.AnyEvent]:
    """What a line of the log tells.

    Raises:
        msgspec.DecodeError: nothing that an engine writes.
    """
    told = decode_line(line)
    return told if isinstance(told, RowsLogged) else (told,)


def lines_of(events: Iterable[ev.AnyEvent]) -> list[bytes]:
    """The lines that tell of `events`, in their order, without line ends."""
    lines: list[bytes] = []
    for sort, neighbours in groupby(events, _sort):
        if sort is None:
            lines += map(_line_of, neighbours)
            continue
        rows = [row for row in neighbours if isinstance(row, ev.MetricsLogged)]
        most = max(1, MOST_NUMBERS // (len(rows[0].values) + 4))
        lines += [_line(rows[first : first + most]) for first in range(0, len(rows), most)]
    return lines


def _sort(event: ev.AnyEvent) -> tuple[float, tuple[str, ...]] | None:
    """What rows in a line have in common; None for any other event."""
    return (event.at, tuple(event.values)) if isinstance(event, ev.MetricsLogged) else None


def _line_of(event: ev.AnyEvent) -> bytes:
    line = ev.encode(event)
    if len(line) <= LONG_BYTES:
        return line
    texts = {name: _cut(text) for name in event.__struct_fields__ if isinstance(text := getattr(event, name), str)}
    line = ev.encode(msgspec.structs.replace(event, **texts))
    if len(line) <= LINE_LIMIT_BYTES:
        return line
    said = f"what should stand here is too long for the log: {type(event).__name__}"
    return ev.encode(ev.LineLogged(step=event.step, at=event.at, level="warning", text=said))


def _cut(text: str) -> str:
    """Both ends of a long text."""
    half = MOST_CHARACTERS // 2
    return text if len(text) <= MOST_CHARACTERS else f"{text[:half]} … {text[-half:]}"


def _line(rows: Sequence[ev.MetricsLogged]) -> bytes:
    if len(rows) == 1:
        return _line_of(rows[0])
    steps, lr = [row.steps for row in rows], [row.lr for row in rows]
    is_steady = len(set(steps)) == len(set(lr)) == 1
    together = RowsLogged(
        steps=steps[0] if is_steady else steps,
        lr=lr[0] if is_steady else lr,
        step=[row.step for row in rows],
        at=rows[0].at,
        elapsed_s=[row.elapsed_s for row in rows],
        values={key: [row.values[key] for row in rows] for key in rows[0].values},
    )
    return ev.encode(together)

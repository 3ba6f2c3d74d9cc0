"""How far a run is, on one line."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, TextIO

from engine.run_state import RunState
from engine.streams import write_result
from engine.text import plain

GAP = "  "
REDRAW_EVERY_S = 0.2
EVALUATION_EVERY_S = 5.0
"""Off a terminal, evaluations that follow sooner upon one that was told are left out."""
FIRST_LINE_S = 3.0
LEAST_SILENCE_S, MOST_SILENCE_S, SILENCE_SHARE = 10.0, 60.0, 0.1
"""Off a terminal, a run is silent for a tenth of its age at most, within these bounds."""


class Progress:
    """One line that redraws itself on a terminal; anywhere else a line now and then.

    A file gets a line for each evaluation, if they are not too many, and one before long where there is none: soon
    after the start, and then less and less often, so that the log of a day is some 1,500 lines.

    Args:
        name: The run's name.
        stream: Where to write; writing stops quietly when its reader has gone.
        only_evaluations: Leave out what is not an evaluation, off a terminal.
        now_s: Tells the time, in seconds from anywhere.
    """

    def __init__(
        self,
        name: str,
        stream: TextIO,
        only_evaluations: bool = False,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._stream, self._now_s = name, stream, now_s
        self._live = stream.isatty()
        self._only_evaluations = only_evaluations
        self._began_at_s: float | None = None
        self._drawn_at_s = self._evaluated_at_s = -math.inf
        self._width = 0

    def say(self, text: str) -> None:
        """A line that stays."""
        self._erase()
        print_to(plain(text), self._stream)

    def show(self, state: RunState, evaluated: bool) -> None:
        """Bring the line up to date, if it is time."""
        if state.started is None:
            return
        now_s = self._now_s()
        if self._began_at_s is None:
            self._began_at_s = now_s
        if self._live:
            is_time = now_s - self._drawn_at_s >= REDRAW_EVERY_S
        elif evaluated:
            is_time = now_s - self._evaluated_at_s >= EVALUATION_EVERY_S
        else:
            is_time = not state.paused and not self._only_evaluations and self._is_silent(now_s, self._began_at_s)
        if is_time:
            self._drawn_at_s = now_s
            if evaluated:
                self._evaluated_at_s = now_s
            self._draw(state)

    def _is_silent(self, now_s: float, began_at_s: float) -> bool:
        """Whether whoever follows a file has been told nothing for long."""
        if self._drawn_at_s < began_at_s:
            return now_s - began_at_s >= FIRST_LINE_S
        wait_s = min(MOST_SILENCE_S, max(LEAST_SILENCE_S, (now_s - began_at_s) * SILENCE_SHARE))
        return now_s - self._drawn_at_s >= wait_s

    def finish(self, state: RunState) -> None:
        """Draw the last state and leave the line."""
        if state.started is not None:
            self._draw(state)
            if self._live:
                print_to("", self._stream)

    def _draw(self, state: RunState) -> None:
        if not self._live:
            print_to(progress_line(self._name, state), self._stream)
            return
        columns = None
        with suppress(OSError):
            columns = os.get_terminal_size(self._stream.fileno()).columns - 1
        line = progress_line(self._name, state, columns)
        padding = " " * (self._width - len(line))
        self._width = len(line)
        print_to(f"\r{line}{padding}", self._stream, end="")

    def _erase(self) -> None:
        if self._live and self._width:
            print_to(f"\r{' ' * self._width}\r", self._stream, end="")
            self._width = 0


class _Field(NamedTuple):
    """A part of the line, which is there whole or not at all: half a number is another number."""

    rank: int
    """Where there is no room for all, those of the lowest ranks stay."""
    text: str


def progress_line(name: str, state: RunState, columns: int | None = None) -> str:
    """`digits-mlp-1  epoch 12/30  40 %  loss 0.12  val/accuracy 0.96  1,234 steps/s  ETA 0:12`.

    Args:
        name: The run's name.
        state: What is known of it.
        columns: How long the line may be, if not as long as it likes.
    """
    fields = _fields(name, state)
    if columns is None:
        return GAP.join(field.text for field in fields)
    kept, room = set[int](), columns + len(GAP)
    for place in sorted(range(len(fields)), key=lambda place: fields[place].rank):
        taken = len(fields[place].text) + len(GAP)
        if taken <= room:
            kept.add(place)
            room -= taken
    return GAP.join(field.text for place, field in enumerate(fields) if place in kept)


def _fields(name: str, state: RunState) -> list[_Field]:
    """In the order in which they are shown."""
    fields = [_Field(4, plain(name)), _Field(0, f"epoch {state.epoch_under_way}/{state.epochs}")]
    if state.total_steps:
        fields.append(_Field(1, f"{100 * state.step / state.total_steps:.0f} %"))
    losses = [key for key in state.latest if key.startswith("train/loss")]
    metric = state.started.metric if state.started else ""
    for key in dict.fromkeys([*losses, metric]):
        if (value := state.latest.get(key)) is not None:
            rank = 2 if key in losses[:1] else 5 if key == metric else 7
            fields.append(_Field(rank, plain(f"{key} {value:.4g}")))
    if state.steps_per_s:
        fields.append(_Field(6, f"{state.steps_per_s:,.0f} steps/s"))
    if state.eta_s:
        fields.append(_Field(3, f"ETA {clock(state.eta_s)}"))
    return fields


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss, or m:ss below an hour."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def print_to(text: str, stream: TextIO, end: str = "\n") -> None:
    """Print `text` at once; whatever keeps it from being written is no error, and from then on nothing is."""
    with suppress(OSError):  # the terminal, or room on the disk, has gone; training has not
        write_result(text, stream, end)

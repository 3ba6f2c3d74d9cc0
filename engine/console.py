"""A run in the foreground: a progress line, Ctrl+C, and the result."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple, TextIO

from engine.commands import Stop
from engine.due import Due
from engine.events import (
    CommandRejected,
    Evaluated,
    LearningRateChanged,
    LineLogged,
    RolledBack,
    RunFailed,
    StepSkipped,
)
from engine.run_folder import RunFolder, RunFolderError
from engine.run_report import report
from engine.run_state import RunState
from engine.session import Session
from engine.text import plain

REDRAW_EVERY_S = 0.2
SAME_PRESS_S = 0.5
LINE_EVERY_S = 5.0
WORTH_A_LINE = (LineLogged, RolledBack, StepSkipped, LearningRateChanged, CommandRejected)
EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 2, 130, 143


class Outcome(NamedTuple):
    """How a run in the foreground came out."""

    state: RunState
    failure: str
    """Why it could not be recorded any more, empty if it could."""
    signal: str
    """Name of the signal that stopped it, empty if none did."""


def train_in_foreground(folder: RunFolder, as_json: bool) -> int:
    """Train the run in this process until it ends, and print how it came out; returns the exit code.

    Raises:
        RunFolderError: as `train_shown`.
    """
    return _conclude(train_shown(folder), folder, as_json)


def train_shown(folder: RunFolder, script: Sequence[Due] = ()) -> Outcome:
    """Train the run in this process until it ends, with a line that says how far it is.

    Ctrl+C and SIGTERM stop it with a checkpoint, a second Ctrl+C at once. It outlives its terminal.

    Raises:
        RunFolderError: the run can't be trained; nothing was started.
    """
    return asyncio.run(_train(Session(folder, script), folder))


async def _train(session: Session, folder: RunFolder) -> Outcome:
    signals = _Signals(session)
    progress = Progress(folder.name, sys.stderr)
    failure = ""
    try:
        async for event in session.events():
            if isinstance(event, WORTH_A_LINE):
                progress.say(session.state.lines[-1].text)
            progress.show(session.state, isinstance(event, Evaluated))
    except RunFolderError as error:
        failure = str(error)
    progress.finish(session.state)
    return Outcome(session.state, failure, signals.received)


def _conclude(outcome: Outcome, folder: RunFolder, as_json: bool) -> int:
    state, failure, received = outcome
    status = "failed" if failure else state.status(engine_alive=False)
    summary = report(folder, state, status)
    if failure:
        summary["error"] = failure
    _print(json.dumps(summary) if as_json else _in_words(summary), sys.stdout)
    if status == "failed":
        print_failure(state, failure)
        return EXIT_FAILED
    if received and status == "stopped":
        return EXIT_INTERRUPTED if received == "SIGINT" else EXIT_TERMINATED
    return 0


def print_failure(state: RunState, failure: str) -> None:
    """Say on standard error why a run failed, and what helps."""
    if failure:
        _print(f"dltui: {failure}", sys.stderr)
        return
    if isinstance(state.ending, RunFailed):
        if state.ending.traceback:
            _print(state.ending.traceback, sys.stderr)
        cure = f"; {state.ending.cure}" if state.ending.cure else ""
        _print(f"dltui: {plain(state.ending.error + cure)}", sys.stderr)


class _Signals:
    """Turns signals into a stop with a checkpoint."""

    def __init__(self, session: Session) -> None:
        self.received = ""
        self._received_at_s = 0.0
        self._session = session
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop, number)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _stop(self, number: signal.Signals) -> None:
        if self.received:
            # a person who insists; a supervisor may well send the same signal twice, to the process and to its group
            if number == signal.SIGINT and time.monotonic() - self._received_at_s > SAME_PRESS_S:
                os._exit(EXIT_INTERRUPTED)
            return
        self.received, self._received_at_s = number.name, time.monotonic()
        with suppress(OSError):
            print("\nstopping, with a checkpoint (Ctrl+C once more: at once, without)", file=sys.stderr, flush=True)
        self._session.request(Stop(reason=number.name))


class Progress:
    """One line that redraws itself on a terminal; a line now and then anywhere else.

    Args:
        name: The run's name.
        stream: Where to write; writing stops quietly when its reader has gone.
    """

    def __init__(self, name: str, stream: TextIO) -> None:
        self._name, self._stream = name, stream
        self._live = stream.isatty()
        self._drawn_at_s = 0.0
        self._width = 0

    def say(self, text: str) -> None:
        """A line that stays."""
        self._erase()
        _print(plain(text), self._stream)

    def show(self, state: RunState, evaluated: bool) -> None:
        """Bring the line up to date, if it is time."""
        now_s = time.monotonic()
        wait_s = REDRAW_EVERY_S if self._live else LINE_EVERY_S
        if state.started is None or now_s - self._drawn_at_s < wait_s or not (self._live or evaluated):
            return
        self._drawn_at_s = now_s
        self._draw(state)

    def finish(self, state: RunState) -> None:
        """Draw the last state and leave the line."""
        if state.started is not None:
            self._draw(state)
            if self._live:
                _print("", self._stream)

    def _draw(self, state: RunState) -> None:
        line = progress_line(self._name, state)
        if not self._live:
            _print(line, self._stream)
            return
        with suppress(OSError):
            columns = os.get_terminal_size(self._stream.fileno()).columns
            line = line[: max(1, columns - 1)]
        padding = " " * (self._width - len(line))
        self._width = len(line)
        _print(f"\r{line}{padding}", self._stream, end="")

    def _erase(self) -> None:
        if self._live and self._width:
            _print(f"\r{' ' * self._width}\r", self._stream, end="")
            self._width = 0


def progress_line(name: str, state: RunState) -> str:
    """`digits-mlp-1  epoch 12/30  40 %  loss 0.12  val/accuracy 0.96  1,234 steps/s  ETA 0:12`."""
    parts = [name, f"epoch {state.epoch_under_way}/{state.epochs}"]
    if state.total_steps:
        parts.append(f"{100 * state.step / state.total_steps:.0f} %")
    losses = [key for key in state.latest if key.startswith("train/loss")]
    shown = [*losses, state.started.metric if state.started else ""]
    parts += [f"{key} {value:.4g}" for key in dict.fromkeys(shown) if (value := state.latest.get(key)) is not None]
    if state.steps_per_s:
        parts.append(f"{state.steps_per_s:,.0f} steps/s")
    if state.eta_s:
        parts.append(f"ETA {clock(state.eta_s)}")
    return "  ".join(parts)


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss, or m:ss below an hour."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _in_words(summary: dict[str, object]) -> str:
    metrics, best = summary["metrics"], summary["best"]
    took = clock(float(str(summary["elapsed_s"])))
    lines = [f"{summary['run']}: {summary['state']} after {summary['steps']:,} steps in {took}"]
    if isinstance(metrics, dict):
        lines += [f"  {key:<16} {value:.6g}" for key, value in metrics.items() if value is not None]
    if isinstance(best, dict):
        lines.append(f"  best {best['metric']} {best['value']:.6g} at epoch {best['epoch']}")
    return "\n".join([*lines, f"  {summary['dir']}"])


def _print(text: str, stream: TextIO, end: str = "\n") -> None:
    try:
        print(text, file=stream, end=end, flush=True)
    except (OSError, ValueError):  # the terminal or the pipe has gone; training has not
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except UnicodeEncodeError:
        print(text.encode("ascii", "replace").decode(), file=stream, end=end, flush=True)

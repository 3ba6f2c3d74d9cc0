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
from engine.progress_line import Progress, clock, print_to
from engine.run_errors import RunRefused
from engine.run_folder import RunFolder, RunFolderError
from engine.run_report import report
from engine.run_state import RunState
from engine.session import Session
from engine.streams import result_stream, write_result
from engine.text import plain, plain_lines

SAME_PRESS_S = 0.5
WORTH_A_LINE = (LineLogged, RolledBack, StepSkipped, LearningRateChanged, CommandRejected)
EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 2, 130, 143


class Outcome(NamedTuple):
    """How a run in the foreground came out."""

    state: RunState
    failure: str
    """Why it could not be recorded any more, empty if it could."""
    signal: str
    """Name of the signal that stopped it, empty if none did."""


def train_in_foreground(folder: RunFolder, as_json: bool, is_new: bool = False) -> int:
    """Train the run in this process until it ends, and print how it came out; returns the exit code.

    Args:
        folder: The run's folder.
        as_json: Whether to print it for a program.
        is_new: Whether the run was made for this, so that nobody misses it if it can't begin.

    Raises:
        RunFolderError: as `train_shown`.
        RunRefused: as `train_shown`.
    """
    with result_stream(as_json) as stream:
        outcome = train_shown(folder, as_json, is_new=is_new)
        return _conclude(outcome, folder, as_json, stream)


def discard_refused(outcome: Outcome, folder: RunFolder) -> None:
    """Take back a run that was made just now, if it has taken no step for what was asked for.

    Raises:
        RunRefused: so it is; nothing of the run is left, and the message says what to mend.
    """
    state = outcome.state
    if not isinstance(state.ending, RunFailed) or not state.ending.is_refusal or state.step:
        return
    with suppress(OSError, RunFolderError):
        folder.discard()
    if folder.path.exists():  # a viewer has resumed it, or the disk won't: it stays, as a run that failed
        return
    raise RunRefused(plain(state.ending.in_a_line))


def train_shown(folder: RunFolder, as_json: bool, script: Sequence[Due] = (), is_new: bool = False) -> Outcome:
    """Train the run in this process until it ends, with a line that says how far it is.

    Ctrl+C and SIGTERM stop it with a checkpoint, a second Ctrl+C at once. It outlives its terminal.

    Args:
        folder: The run's folder.
        as_json: Whether a program is to read how it came out; it is told nothing between two evaluations.
        script: Commands to obey at given steps.
        is_new: Whether the run was made for this, so that nobody misses it if it can't begin.

    Raises:
        RunFolderError: the run can't be trained; nothing was started, and of a new one nothing is left.
        RunRefused: as `discard_refused`.
    """
    progress = Progress(folder.name, sys.stderr, only_evaluations=as_json)
    try:
        session = Session(folder, script)
    except BaseException:
        if is_new:
            with suppress(OSError, RunFolderError):
                folder.discard()
        raise
    outcome = asyncio.run(_train(session, progress))
    if is_new:
        discard_refused(outcome, folder)
    return outcome


async def _train(session: Session, progress: Progress) -> Outcome:
    signals = _Signals(session)
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


def _conclude(outcome: Outcome, folder: RunFolder, as_json: bool, stream: TextIO) -> int:
    state, failure, received = outcome
    status = "failed" if failure else state.status(engine_alive=False)
    summary = report(folder, state, status)
    if failure:
        summary["error"] = failure
    lost = ""
    try:
        write_result(json.dumps(summary) if as_json else _in_words(summary), stream)
    except OSError as error:
        lost = f"the result can't be written ({plain(error.strerror or str(error)).lower()})"
        print_to(f"dltui: {lost}; it is kept: dltui show {plain(folder.name)}", sys.stderr)
    if status == "failed":
        print_failure(state, failure)
        return EXIT_FAILED
    if lost:
        return EXIT_FAILED
    if received and status == "stopped":
        return EXIT_INTERRUPTED if received == "SIGINT" else EXIT_TERMINATED
    return 0


def print_failure(state: RunState, failure: str) -> None:
    """Say on standard error why a run failed, and what helps."""
    if failure:
        print_to(f"dltui: {failure}", sys.stderr)
        return
    if isinstance(state.ending, RunFailed):
        if state.ending.traceback:
            print_to(plain_lines(state.ending.traceback), sys.stderr)
        print_to(f"dltui: {plain(state.ending.in_a_line)}", sys.stderr)


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


def _in_words(summary: dict[str, object]) -> str:
    metrics, best = summary["metrics"], summary["best"]
    took = clock(float(str(summary["elapsed_s"])))
    lines = [f"{summary['run']}: {summary['state']} after {summary['steps']:,} steps in {took}"]
    if isinstance(metrics, dict):
        lines += [f"  {key:<16} {value:.6g}" for key, value in metrics.items() if value is not None]
    if isinstance(best, dict):
        lines.append(f"  best {best['metric']} {best['value']:.6g} at epoch {best['epoch']}")
    return "\n".join(map(plain, [*lines, f"  {summary['dir']}"]))

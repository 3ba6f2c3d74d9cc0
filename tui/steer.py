"""Steering a run from the command line: ask, and wait for the event that answers."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from math import isclose
from typing import Any, NamedTuple

from engine import commands as cmd
from engine import events as ev
from engine.run_folder import RunFolder, find_run
from engine.run_log import LogReader
from engine.run_state import ENDED, RunState, Status
from engine.run_summary import status_of
from engine.schema.fields import SECTIONS
from engine.text import plain
from tui.errors import CommandError
from tui.last_resort import last_resort

ANSWER_WITHIN_S = 10.0
LOOK_EVERY_S = 0.05


def pause(args: Namespace) -> int:
    """`dltui pause RUN`."""
    run = open_run(args)
    if run.status == "paused":
        print(f"{run.name} is paused already, at step {run.state.step:,}")
        return 0
    event = ask_engine(run, cmd.Pause(), ev.RunPaused)
    print(f"{run.name} paused at step {event.step:,}")
    return 0


def continue_(args: Namespace) -> int:
    """`dltui continue RUN`."""
    run = open_run(args)
    if run.status == "running":
        print(f"{run.name} is not paused: it is at step {run.state.step:,}")
        return 0
    event = ask_engine(run, cmd.Continue(), ev.RunContinued)
    print(f"{run.name} continued from step {event.step:,}")
    return 0


def stop(args: Namespace) -> int:
    """`dltui stop RUN`."""
    run = open_run(args)
    name = run.name
    event = ask_engine(run, cmd.Stop(), *ev.ENDINGS)
    _wait_for_release(run.folder)
    if isinstance(event, ev.RunFailed):
        raise CommandError(f"run '{name}' failed at step {event.step:,}: {plain(event.error)}", exit_code=1)
    if isinstance(event, ev.RunFinished):
        print(f"{name} had finished, at step {event.step:,}")
    else:
        print(f"{name} stopped at step {event.step:,}; it goes on with: dltui resume {name}")
    return 0


def checkpoint(args: Namespace) -> int:
    """`dltui checkpoint RUN`."""
    run = open_run(args)
    # the engine saves on its own as well, and other viewers may be asking at the same time
    event = ask_engine(run, cmd.SaveCheckpoint(), ev.CheckpointSaved, is_mine=lambda event: event.reason == "asked")
    assert isinstance(event, ev.CheckpointSaved)
    print(f"{run.name} saved {plain(str(run.folder.path / event.folder))}")
    return 0


def set_value(args: Namespace) -> int:
    """`dltui set RUN optimizer.lr=0.003`."""
    lr = parse_assignment(args.assignment, args.run)
    run = open_run(args)
    event = ask_engine(
        run,
        cmd.SetLearningRate(lr=lr),
        ev.LearningRateChanged,
        is_mine=lambda event: isclose(event.new, lr, rel_tol=1e-5),
    )
    assert isinstance(event, ev.LearningRateChanged)
    print(f"{run.name} changed optimizer.lr from {event.old:g} to {event.new:g} at step {event.step:,}")
    return 0


def parse_assignment(text: str, run: str) -> float:
    """The learning rate in `optimizer.lr=0.003`.

    Raises:
        CommandError: it sets something else, or no learning rate that can be.
    """
    path, equals, value = (part.strip() for part in text.partition("="))
    if path not in ("optimizer.lr", "lr"):
        flag = f"--{path}" if path.partition(".")[0] in SECTIONS else "--section.field"
        raise CommandError(
            f"'{plain(path)[:80]}' can't change while a run goes on; optimizer.lr can: dltui set {plain(run)} "
            f"optimizer.lr=0.003 (anything else: stop, then train anew with {plain(flag)[:80]})"
        )
    try:
        lr = float(value)
    except ValueError:
        lr = float("nan")
    if not equals or not 0 < lr <= 100:
        raise CommandError(
            f"optimizer.lr must be a number above 0, at most 100 (got '{plain(value)[:40]}'), as in optimizer.lr=0.003"
        )
    return lr


class HeldRun(NamedTuple):
    """A run that an engine holds, and its log read up to now."""

    name: str
    """Safe to print."""
    folder: RunFolder
    reader: LogReader[ev.AnyEvent]
    state: RunState
    status: Status


def open_run(args: Namespace) -> HeldRun:
    """The run to steer.

    Raises:
        CommandError: no engine holds it, so that nobody would answer.
    """
    folder = find_run(args.runs, args.run)
    history, reader, state = folder.read_history(), folder.read_events(), RunState()
    state.apply_all(history.read_all())
    reader.offset = history.offset
    status = status_of(folder, state)
    if status in ENDED:
        raise CommandError(standing(folder, state, status))
    return HeldRun(plain(folder.name), folder, reader, state, status)


def standing(folder: RunFolder, state: RunState, status: Status) -> str:
    """How a run that nobody trains stands, and what can be done about it, on one line."""
    name = plain(folder.name)
    if status == "finished":
        longer = f"dltui train --config {plain(str(folder.path / 'config.toml'))} --epochs {2 * max(1, state.epochs)}"
        return f"run '{name}' is finished, at step {state.step:,}; for a longer one: {longer}"
    verb = {"stopped": "was stopped", "failed": "failed", "died": "died"}[status]
    return f"run '{name}' {verb} at step {state.step:,} and is not going on; resume it first: dltui resume {name}"


def ask_engine(
    run: HeldRun,
    command: cmd.AnyCommand,
    *answers: type[ev.AnyEvent],
    is_mine: Callable[[Any], bool] = lambda event: True,
) -> ev.AnyEvent:
    """Append `command` and wait for one of `answers` that `is_mine`.

    Raises:
        CommandError: it was refused, could not be done, or nobody answered in time.
    """
    deadline_s = time.monotonic() + ANSWER_WITHIN_S
    name = run.name
    while run.folder.holder() is None and time.monotonic() < deadline_s:
        time.sleep(LOOK_EVERY_S)  # its engine is only just starting, and reads what is asked from then on
    run.folder.ask(command)
    asked = type(command).__name__.lower()
    for event in _new_events(run, deadline_s):
        if isinstance(event, answers) and is_mine(event):
            return event
        if isinstance(event, ev.CommandRejected) and event.command == asked:
            raise CommandError(f"run '{name}': {plain(event.reason)}", exit_code=1)
        if isinstance(event, ev.LineLogged) and event.level == "warning" and isinstance(command, cmd.SaveCheckpoint):
            raise CommandError(f"run '{name}': {plain(event.text)}", exit_code=1)
        if isinstance(event, ev.ENDINGS):
            raise CommandError(f"run '{name}' ended at step {event.step:,} before it could answer", exit_code=1)
    way_out = last_resort(run.folder) if isinstance(command, cmd.Stop) else ""
    raise CommandError(
        f"run '{name}' has not answered within {ANSWER_WITHIN_S:g} s; it will when its present step is done, "
        f"if its engine is well: dltui show {name}{way_out and f'; {way_out}'}",
        exit_code=1,
    )


def _new_events(run: HeldRun, deadline_s: float) -> Iterator[ev.AnyEvent]:
    while time.monotonic() < deadline_s:
        yield from run.reader.read()
        if run.folder.holder() is None:  # what it said last is on disk by now
            yield from run.reader.read()
            return
        time.sleep(LOOK_EVERY_S)


def _wait_for_release(folder: RunFolder) -> None:
    """Let a stopped engine leave, so that `dltui stop` and then `dltui resume` in one line work."""
    deadline_s = time.monotonic() + ANSWER_WITHIN_S
    while folder.holder() is not None and time.monotonic() < deadline_s:
        time.sleep(LOOK_EVERY_S)

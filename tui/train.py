"""`dltui train` and `dltui resume`: make up a configuration, then train here or in a host of its own."""

from __future__ import annotations

import json
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Mapping
from contextlib import suppress
from math import isclose
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import tomlkit

from engine import events as ev
from engine.lock_entry import engine_name
from engine.places import data_dir, expanded
from engine.rows import HistoryItem
from engine.run_folder import RunFolder, RunFolderError, create_run, find_run
from engine.run_log import LogReader
from engine.run_report import report
from engine.run_state import RunState
from engine.run_summary import status_of
from engine.schema import ConfigError, RunConfig, overlay, validate
from engine.schema.custom import anchored
from engine.schema.merge import Tree
from engine.text import plain
from presets import load_preset
from presets.loader import read_toml
from tui.arguments import typed
from tui.errors import CommandError
from tui.launcher import Launcher
from tui.named_files import absent, named_files
from tui.output import print_json
from tui.settings_help import help_on_training
from tui.steer import standing
from tui.torch_door import importing_torch

STARTS_WITHIN_S = 120.0
RATE_WITHIN_S = 10.0
"""A learning rate that was asked for is set before the first step."""
LOOK_EVERY_S = 0.05


class Request(NamedTuple):
    """What to train, and with which data folder."""

    config: RunConfig
    data: Path | None
    """None where nobody named one."""


def train(args: Namespace) -> int:
    """`dltui train PRESET`."""
    if args.help:
        return help_on_training(args)
    if args.preset is None and args.config is None:
        raise CommandError("train wants a preset, as in dltui train spiral-relu; dltui presets lists them")
    request = resolve(args.preset, args.config, args.settings, args.data)
    if args.dry_run:
        _print_config(request, args.json)
        return 0
    data = request.data or data_dir()
    if missing := absent(named_files(request.config, data)):
        raise CommandError("; ".join(missing.values()))
    if args.detach:
        folder = create_run(args.runs, request.config, data, args.name)
        try:
            return _train_detached(folder, args.json)
        except _NoProcess as error:
            with suppress(OSError, RunFolderError):
                folder.discard()
            raise CommandError(f"no process can be started to train in: {error}", 1) from None
    train_in_foreground = _import_engine(args.name or request.config.preset)
    return train_in_foreground(create_run(args.runs, request.config, data, args.name), args.json, is_new=True)


def resume(args: Namespace) -> int:
    """`dltui resume RUN`."""
    folder = find_run(args.runs, args.run)
    state = RunState()
    state.apply_all(folder.read_history().read_all())
    status = status_of(folder, state)
    if status == "finished":
        raise CommandError(standing(folder, state, status))
    if holder := folder.holder():
        raise _held(folder, holder)
    folder.config()  # a damaged configuration is better told of before torch is imported
    folder.ask_to_resume(args.lr)
    if args.detach:
        try:
            return _train_detached(folder, args.json, args.lr)
        except _NoProcess as error:
            raise CommandError(f"no process can be started to train in: {error}", 1) from None
    return _import_engine(folder.name)(folder, args.json)


def resolve(preset: str | None, config_file: Path | None, settings: Tree, data: Path | None) -> Request:
    """The configuration that comes of a preset, a file laid over it, and settings over both.

    Raises:
        PresetError: the preset or the file can't be used.
        CommandError: together they are no valid configuration; each problem names where it came from.
    """
    base: Tree = {}
    base_data: Path | None = None
    if preset is not None:
        loaded = load_preset(preset)
        # with every default spelled out, a setting such as schedule.warmup finds the kind it belongs to
        base, base_data = loaded.config.model_dump(mode="json"), loaded.data_dir
    over = anchored(read_toml(config_file), config_file.absolute().parent) if config_file else {}
    settings = anchored(settings, Path.cwd())
    over_data = _take_data_dir(over, config_file)
    try:
        config = validate(typed(overlay(overlay(base, over), settings)))
    except ConfigError as error:
        raise CommandError("; ".join(_blamed(error, over, settings, config_file))) from None
    return Request(config, data or over_data or base_data)


def _take_data_dir(tree: Tree, file: Path | None) -> Path | None:
    """Take out `data_dir`, which a run's config.toml has and a configuration has not."""
    value = tree.pop("data_dir", None)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise CommandError(f"{plain(str(file))}: data_dir must be the path of a folder")
    return expanded(value).absolute()


def _blamed(error: ConfigError, over: Tree, settings: Tree, file: Path | None) -> list[str]:
    return [
        f"{plain(str(file))}: {problem}"
        if _has(over, problem.path) and not _has(settings, problem.path)
        else str(problem)
        for problem in error.problems
    ]


def _has(tree: Mapping[str, Any], path: str) -> bool:
    """Whether `tree` says anything at `path`, or at the field that `path` lies in."""
    below: Any = tree
    for key in path.split("."):
        if not isinstance(below, Mapping):
            return True
        if key not in below:
            return False
        below = below[key]
    return True


def _print_config(request: Request, as_json: bool) -> None:
    tree = request.config.model_dump(mode="json")
    if request.data is not None:
        tree = {"data_dir": str(request.data), **tree}
    if as_json:
        print_json(tree)
    else:
        print(tomlkit.dumps(tree), end="")


class _TrainInForeground(Protocol):
    def __call__(self, folder: RunFolder, as_json: bool, is_new: bool = False) -> int: ...


def _import_engine(name: str) -> _TrainInForeground:
    """`engine.console.train_in_foreground`, for whatever is called `name`."""
    # a terminal that closes meanwhile must not take the run along
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _say_starting(name)
    with importing_torch():
        from engine.console import train_in_foreground
    return train_in_foreground


def _say_starting(name: str) -> None:
    """Tell a person, who would wait for seconds without a word."""
    if sys.stderr.isatty():
        with suppress(OSError):  # the terminal has gone; training goes on
            print(f"starting {plain(name)} …", file=sys.stderr, flush=True)


class _NoProcess(Exception):
    """The system refused to start a host."""


def _held(folder: RunFolder, holder: str) -> CommandError:
    name = plain(folder.name)
    return CommandError(f"run '{name}' is being trained by {holder}; to see it: dltui attach {name}")


def _train_detached(folder: RunFolder, as_json: bool, lr: float | None = None) -> int:
    """Start a host for the run and wait until it has begun, at `lr` if that was asked for; or say why it has not."""
    _say_starting(folder.name)
    reader, state = folder.read_history(), RunState()
    state.apply_all(reader.read_all())
    launcher = Launcher()
    try:
        pid = launcher.spawn(folder)
    except OSError as error:
        raise _NoProcess(error.strerror) from None
    _wait_until_begun(folder, reader, state, launcher, pid)
    if lr is not None:
        _check_rate(folder, reader, state, lr)
    return _tell_started(folder, state, as_json)


def _wait_until_begun(
    folder: RunFolder, reader: LogReader[HistoryItem], state: RunState, launcher: Launcher, pid: int
) -> None:
    """Read on until host `pid` has begun to train, or has ended the run.

    Raises:
        CommandError: it died first, another one trains the run, or nothing has happened for long.
    """
    deadline_s = time.monotonic() + STARTS_WITHIN_S
    has_begun, other = False, ""
    while time.monotonic() < deadline_s:
        lives = bool(launcher.training())
        for event in reader.read():
            state.apply(event)
            if isinstance(event, ev.RunStarted):
                other = "" if event.pid == pid else engine_name(event.pid, event.host)
            has_begun |= isinstance(event, (ev.RunStarted, *ev.ENDINGS)) and not other
        if has_begun:
            return
        if other and not lives:  # of two that were started at the same time this one came second
            raise _held(folder, other)
        if deaths := launcher.deaths():
            if holder := folder.holder():
                raise _held(folder, holder)
            raise CommandError(f"run '{folder.name}' has not started: {deaths[0].reason}", 1)
        time.sleep(LOOK_EVERY_S)
    raise CommandError(
        f"run '{folder.name}' has not started within {STARTS_WITHIN_S:g} s; what it printed is in "
        f"{plain(str(folder.path / 'console.log'))}",
        1,
    )


def _check_rate(folder: RunFolder, reader: LogReader[HistoryItem], state: RunState, lr: float) -> None:
    """See that a run goes on at `lr`, as was asked.

    Raises:
        CommandError: somebody else's word came after that.
    """
    deadline_s = time.monotonic() + RATE_WITHIN_S
    while state.ending is None and not (state.base_lr and isclose(state.base_lr, lr, rel_tol=1e-5)):
        if time.monotonic() > deadline_s:
            name = plain(folder.name)
            raise CommandError(
                f"run '{name}' goes on, but not at optimizer.lr {lr:g}: somebody else asked for something else at the "
                f"same time; to change it: dltui set {name} optimizer.lr={lr:g}",
                1,
            )
        time.sleep(LOOK_EVERY_S)
        state.apply_all(reader.read())


def _tell_started(folder: RunFolder, state: RunState, as_json: bool) -> int:
    failed = isinstance(state.ending, ev.RunFailed)
    if as_json:
        status = status_of(folder, state)
        print(json.dumps(report(folder, state, "failed" if failed else status)))
    if isinstance(state.ending, ev.RunFailed):
        raise CommandError(f"run '{folder.name}' failed: {plain(state.ending.in_a_line)}", 1)
    if not as_json:
        print(plain(folder.name))
        print(f"training goes on without this terminal; to see it: dltui attach {plain(folder.name)}", file=sys.stderr)
    return 0

"""The command line."""

from __future__ import annotations

import argparse
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from engine.places import data_dir, expanded, runs_dir
from engine.run_folder import RunFolderError, find_run
from engine.text import plain
from presets import PresetError, load_preset
from presets.loader import preset_paths
from tui.arguments import take_settings
from tui.errors import CommandError
from tui.output import prepare_streams, width

EXIT_USAGE, EXIT_INTERRUPTED = 2, 130
HELP_COLUMNS = 110

COMMANDS = """commands:
  train PRESET          train a preset, here or in the background
  resume RUN            go on with a run that was stopped, failed or died
  attach [RUN]          open the screen in a run
  presets               what can be trained
  runs                  runs and how they stand
  show RUN              all about one run
  pause RUN             save a checkpoint and wait
  continue RUN          go on after a pause
  stop RUN              save a checkpoint and end the run
  checkpoint RUN        keep a checkpoint of this very step
  set RUN optimizer.lr=VALUE
                        change the learning rate while a run goes on
  doctor                what this box has: devices, torch, terminal, folders

examples:
  dltui                                        open the screen
  dltui train digits-mlp                       train a preset here, with a progress line
  dltui train digits-mlp --epochs 5 --optimizer.lr 0.01 --detach
                                               with changes, in the background
  dltui attach                                 see the newest run, with control of it
  dltui set digits-mlp-1 optimizer.lr=0.003    change the learning rate while it runs
  dltui show digits-mlp-1 --json | jq .best    for scripts

Runs are kept below DLTUI_RUNS, data sets below DLTUI_DATA, own presets below DLTUI_PRESETS;
dltui doctor says where that is. dltui COMMAND --help says more of each."""

TRAIN_EXAMPLES = """examples:
  dltui train spiral-relu
  dltui train digits-mlp --epochs 5 --batch-size 32 --optimizer.lr 0.01
  dltui train digits-mlp --model.kind mlp --model.hidden 256,128 --name wide
  dltui train digits-mlp --optimizer.kind sgd --optimizer.momentum 0.9 --dry-run > sgd.toml
  dltui train digits-mlp --config sgd.toml --json | tail -1
  dltui train mine.toml --detach

Exit status: 0 finished or stopped, 1 failed, 2 wrong usage or configuration, 130 after Ctrl+C (a checkpoint is
saved; dltui resume goes on)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; returns the exit status."""
    prepare_streams()
    try:
        status = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return status
    except (CommandError, PresetError, RunFolderError) as error:
        _tell(str(error))
        return getattr(error, "exit_code", EXIT_USAGE)
    except BrokenPipeError:  # `dltui runs | head`: whoever was reading has seen enough
        _discard_output()
        return 0
    except OSError as error:
        where = f"{plain(str(error.filename))}: " if error.filename else ""
        _tell(f"{where}{(error.strerror or str(error)).lower()}")
        _discard_output()
        return 1
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _run(argv: list[str]) -> int:
    parser, commands = _parsers()
    at = _command_place(argv)
    if at is not None and argv[at] not in commands:
        raise CommandError(f"no command '{plain(argv[at])[:80]}'; {_command_hint(argv[at], list(commands))}")
    argv, settings = _part_settings(argv, at, commands["train"])
    try:
        args, unknown = parser.parse_known_args(argv)
    except SystemExit as ended:  # after --help or --version
        sys.stdout.flush()
        return int(ended.code or 0)
    if unknown:
        _refuse_unknown(unknown[0], commands.get(args.command or "", parser))
    args.settings = settings
    act: Callable[[Namespace], int] = args.act
    return act(args)


# -- what the commands do; each imports what it needs, so that none waits for another's libraries ----------------------


def _open_ui(args: Namespace) -> int:
    return _show(args, None)


def _attach(args: Namespace) -> int:
    if args.run is not None:
        return _show(args, find_run(args.runs, args.run))
    from tui.listing import no_runs, runs_in

    folders = runs_in(args.runs)
    if not folders:
        raise CommandError(no_runs(args.runs))
    return _show(args, next((folder for folder in folders if folder.holder()), folders[0]))


def _show(args: Namespace, folder: Any) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError("the screen needs a terminal on stdin and stdout; without one: dltui train PRESET")
    from tui.app import make_app

    app = make_app(args.runs, args.data or data_dir(), folder)
    app.run()
    return app.return_code or 0


def _train(args: Namespace) -> int:
    if args.help:
        return _help_on_training(args)
    if args.preset is None and args.config is None:
        raise CommandError("train wants a preset, as in dltui train spiral-relu; dltui presets lists them")
    from tui.train import train

    return train(args)


def _help_on_training(args: Namespace) -> int:
    from tui.settings_help import all_settings, settings_of

    columns = min(width(), HELP_COLUMNS)
    print(args.parser.format_help())
    if args.preset is None:
        print("Settings, by section and kind, with their defaults. Set one with --section.field, as in --optimizer.lr,")
        print("or a whole kind with --section.kind; those of trainer need no section. dltui train PRESET --help")
        print(f"says what the preset's mean, and how far they go.\n\n{all_settings(columns)}")
    else:
        preset = load_preset(args.preset)
        print(f"Settings of {preset.name}, as they are there:\n\n{settings_of(preset.config, columns)}")
    return 0


def _from(module: str, function: str) -> Callable[[Namespace], int]:
    """A command that lives in another module, imported when it is called."""

    def act(args: Namespace) -> int:
        from importlib import import_module

        return int(getattr(import_module(module), function)(args))

    return act


# -- how they are written ----------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """Tells of errors on one line."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("allow_abbrev", False)
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{plain(message)}; see: {self.prog} --help")


def _command_hint(name: str, commands: list[str]) -> str:
    if name in preset_paths() or name.endswith(".toml"):
        return f"did you mean: dltui train {plain(name)}?"
    near = get_close_matches(name, commands, n=1, cutoff=0.6)
    return f"did you mean: dltui {near[0]}?" if near else f"there are {', '.join(commands)}"


def _parsers() -> tuple[_Parser, dict[str, _Parser]]:
    parser = _Parser(
        prog="dltui",
        usage="dltui [COMMAND] [options]",
        description="The cockpit for deep learning in a terminal. Without a command: open the screen.",
        epilog=COMMANDS,
    )
    parser.add_argument("--version", action="version", version=f"dltui {version('dltui')}")
    parser.set_defaults(act=_open_ui, command=None, runs=runs_dir(), data=None, json=False)
    _add_folders(parser)
    commands = parser.add_subparsers(dest="command", help=argparse.SUPPRESS, prog="dltui", parser_class=_Parser)
    _add_train(commands)
    _add_listings(commands)
    _add_steering(commands)
    return parser, dict(commands.choices)


def _add_train(commands: Any) -> None:
    train = commands.add_parser(
        "train",
        usage="dltui train PRESET [--section.field VALUE …] [options]",
        description="Train a preset: a name, or the path of a .toml file. What --config holds is laid over it, "
        "settings over that.",
        epilog=TRAIN_EXAMPLES,
        add_help=False,
    )
    train.set_defaults(act=_train, parser=train, name="")
    train.add_argument("preset", metavar="PRESET", nargs="?", help="name or path; dltui presets lists the names")
    train.add_argument("--config", metavar="FILE", type=Path, help="TOML file with any part of a configuration")
    _add_folders(train)
    train.add_argument("--name", metavar="NAME", help="name of the run (default: the preset's, with a number)")
    _add_manner(train)
    train.add_argument("--dry-run", action="store_true", help="print the whole configuration as TOML, train nothing")
    train.add_argument("-h", "--help", action="store_true", help="show this; with PRESET: its settings")

    resume = _add(
        commands,
        "resume",
        "Go on with a run that was stopped, failed or died, from its last checkpoint.",
        _from("tui.train", "resume"),
    )
    _add_run(resume)
    _add_manner(resume)


def _add_listings(commands: Any) -> None:
    presets = _add(
        commands,
        "presets",
        "What can be trained: name, title, what it teaches, data set, parameters.",
        _from("tui.listing", "presets"),
    )
    _add_json(presets)
    runs = _add(commands, "runs", "Runs and how they stand, most recently changed first.", _from("tui.listing", "runs"))
    _add_folders(runs, data=False)
    _add_json(runs)
    show = _add(
        commands,
        "show",
        "All about one run: what it changed of its preset, its curves, its best, its checkpoints, its last words.",
        _from("tui.show", "show"),
    )
    _add_run(show)
    _add_json(show)
    attach = _add(commands, "attach", "Open the screen in a run.", _attach)
    attach.add_argument("run", metavar="RUN", nargs="?", help="name or path (default: the newest that is training)")
    _add_folders(attach)
    doctor = _add(
        commands,
        "doctor",
        "What this box has: devices, torch, terminal, folders. Exit status 1 if anything is broken.",
        _from("tui.doctor", "doctor"),
    )
    _add_folders(doctor)
    _add_json(doctor)


def _add_steering(commands: Any) -> None:
    for name, function, text in (
        ("pause", "pause", "Save a checkpoint and wait."),
        ("continue", "continue_", "Go on after a pause."),
        ("stop", "stop", "Save a checkpoint and end the run; dltui resume goes on with it."),
        ("checkpoint", "checkpoint", "Keep a checkpoint of this very step."),
    ):
        _add_run(_add(commands, name, text, _from("tui.steer", function)))
    setter = _add(commands, "set", "Change the learning rate while a run goes on.", _from("tui.steer", "set_value"))
    _add_run(setter)
    setter.add_argument("assignment", metavar="optimizer.lr=VALUE", help="such as optimizer.lr=0.003")


def _add(commands: Any, name: str, text: str, act: Callable[[Namespace], int]) -> _Parser:
    parser: _Parser = commands.add_parser(name, description=text)
    parser.set_defaults(act=act)
    return parser


def _add_run(parser: _Parser) -> None:
    parser.add_argument("run", metavar="RUN", help="name or path of a run; dltui runs lists them")
    _add_folders(parser, data=False)


def _add_folders(parser: _Parser, data: bool = True) -> None:
    # no default here: it would undo what stood before the command
    options: dict[str, Any] = {"metavar": "DIR", "type": _folder, "default": argparse.SUPPRESS}
    parser.add_argument("--runs", help="where runs are kept (DLTUI_RUNS)", **options)
    if data:
        parser.add_argument("--data", help="where data sets lie (DLTUI_DATA)", **options)


def _add_manner(parser: _Parser) -> None:
    _add_json(parser, "end with one line of JSON that says how it went")
    parser.add_argument("--detach", action="store_true", help="train in the background, and print the run's name")


def _add_json(parser: _Parser, text: str = "as JSON") -> None:
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=text)


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("wants the path of a folder")
    return expanded(text).absolute()


# -- odds and ends -----------------------------------------------------------------------------------------------------


def _part_settings(argv: list[str], at: int | None, train: _Parser) -> tuple[list[str], dict[str, Any]]:
    """Take the settings out of `dltui … train …`, before argparse mistakes their values for a preset."""
    if at is None or argv[at] != "train":
        return argv, {}
    own = {option: action.nargs != 0 for action in train._actions for option in action.option_strings}
    rest, settings = take_settings(argv[at + 1 :], own)
    return [*argv[: at + 1], *rest], settings


def _command_place(argv: list[str]) -> int | None:
    """Where the command stands, None if there is none."""
    skip = False
    for place, token in enumerate(argv):
        if not skip and not token.startswith("-"):
            return place
        skip = token in ("--runs", "--data") and not skip
    return None


def _refuse_unknown(token: str, parser: _Parser) -> NoReturn:
    if not token.startswith("-"):
        raise CommandError(f"'{plain(token)[:80]}' is one argument too many; see: {parser.prog} --help")
    flag = token.partition("=")[0]
    near = get_close_matches(flag, [option for action in parser._actions for option in action.option_strings], n=1)
    hint = f"did you mean {near[0]}?" if near else f"see: {parser.prog} --help"
    raise CommandError(f"unknown flag {plain(flag)[:80]}; {hint}")


def _tell(message: str) -> None:
    with suppress(OSError):
        print(f"dltui: {plain(message)}", file=sys.stderr)


def _discard_output() -> None:
    """Let what is still buffered go nowhere, or Python complains of it while it shuts down."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())

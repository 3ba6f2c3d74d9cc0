"""How commands and their options are written, and what their helps say."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

from engine.places import expanded, runs_dir
from engine.text import plain
from tui.errors import CommandError

COMMANDS = """commands:
  train PRESET          train a preset, here or in the background
  resume RUN            go on with a run that was stopped, failed or died
  replay RUN            train it again the same way, and compare the weights bit for bit
  attach [RUN]          open the screen in a run
  presets               what can be trained
  runs                  runs and how they stand
  show RUN              all about one run
  show PRESET --layers  layer by layer: output shape, parameters, multiply-adds
  pause RUN             save a checkpoint and wait
  continue RUN          go on after a pause
  stop RUN              save a checkpoint and end the run
  checkpoint RUN        keep a checkpoint of this very step
  set RUN optimizer.lr=VALUE
                        change the learning rate while a run goes on
  ask RUN "a text"      what a run's model makes of a text, while it trains or afterwards
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


class Parser(argparse.ArgumentParser):
    """Tells of errors on one line."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("allow_abbrev", False)
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{plain(message)}; see: {self.prog} --help")


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: that takes longer than all the parsing."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(f"dltui {version('dltui')}")
        parser.exit()


def make_parsers() -> tuple[Parser, dict[str, Parser]]:
    """The parser of everything, and those of the commands by name. `act` of what they parse
    names the function that does it, as `module:function`."""
    parser = Parser(
        prog="dltui",
        usage="dltui [COMMAND] [options]",
        description="The cockpit for deep learning in a terminal. Without a command: open the screen.",
        epilog=COMMANDS,
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, default=argparse.SUPPRESS, help="show program's version number and exit"
    )
    parser.set_defaults(act="tui.opening:open_screen", command=None, runs=runs_dir(), data=None, json=False)
    _add_folders(parser)
    commands = parser.add_subparsers(dest="command", help=argparse.SUPPRESS, prog="dltui", parser_class=Parser)
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
    train.set_defaults(act="tui.train:train", parser=train, name="")
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
        "tui.train:resume",
    )
    _add_run(resume)
    resume.add_argument(
        "--lr", "--optimizer.lr", metavar="LR", type=_rate, help="the learning rate to go on with, if another"
    )
    _add_manner(resume)
    replay = _add(
        commands,
        "replay",
        "Train a run again from its beginning, with its learning rate changed at the same steps, up to its last "
        "checkpoint. Exit status 0 if that gives the same weights bit for bit.",
        "tui.replay:replay",
    )
    _add_run(replay)
    _add_json(replay)


def _add_listings(commands: Any) -> None:
    presets = _add(
        commands,
        "presets",
        "What can be trained: name, title, what it teaches, data set, parameters.",
        "tui.listing:presets",
    )
    _add_json(presets)
    runs = _add(commands, "runs", "Runs and how they stand, most recently changed first.", "tui.listing:runs")
    runs.add_argument("--all", action="store_true", help="all runs, not only the 200 newest; --json lists all anyway")
    _add_folders(runs, data=False)
    _add_json(runs)
    show = _add(
        commands,
        "show",
        "All about one run: what it changed of its preset, its curves, its best, its checkpoints, its last words. "
        "With --layers: what the network of a run or a preset is made of, also with settings that are changed, as in "
        "dltui show mnist-mlp --layers --model.hidden 256,128.",
        "tui.show:show",
    )
    show.add_argument("run", metavar="RUN", help="name or path of a run; with --layers also of a preset")
    show.add_argument("--layers", action="store_true", help="each layer's output shape, parameters and multiply-adds")
    _add_folders(show)
    _add_json(show)
    attach = _add(commands, "attach", "Open the screen in a run.", "tui.opening:attach")
    attach.add_argument("run", metavar="RUN", nargs="?", help="name or path (default: the newest that is training)")
    _add_folders(attach)
    doctor = _add(
        commands,
        "doctor",
        "What this box has: devices, torch, terminal, folders. Exit status 1 if anything is broken.",
        "tui.doctor:doctor",
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
        _add_run(_add(commands, name, text, f"tui.steer:{function}"))
    setter = _add(commands, "set", "Change the learning rate while a run goes on.", "tui.steer:set_value")
    _add_run(setter)
    setter.add_argument("assignment", metavar="optimizer.lr=VALUE", help="such as optimizer.lr=0.003")
    ask = _add(
        commands,
        "ask",
        "What a run's model makes of a text: a probability for each class. A run that trains answers itself, between "
        "two steps; for any other the last checkpoint is loaded.",
        "tui.ask:ask",
    )
    _add_run(ask)
    ask.add_argument("text", metavar="TEXT", help="such as 'a wonderful film'; - reads it from standard input")
    ask.add_argument("--best", action="store_true", help="ask the checkpoint of the best evaluation")
    _add_json(ask)


def _add(commands: Any, name: str, text: str, act: str) -> Parser:
    parser: Parser = commands.add_parser(name, description=text)
    parser.set_defaults(act=act)
    return parser


def _add_run(parser: Parser) -> None:
    parser.add_argument("run", metavar="RUN", help="name or path of a run; dltui runs lists them")
    _add_folders(parser, data=False)


def _add_folders(parser: Parser, data: bool = True) -> None:
    # no default here: it would undo what stood before the command
    options: dict[str, Any] = {"metavar": "DIR", "type": _folder, "default": argparse.SUPPRESS}
    parser.add_argument("--runs", help="where runs are kept (DLTUI_RUNS)", **options)
    if data:
        parser.add_argument("--data", help="where data sets lie (DLTUI_DATA)", **options)


def _add_manner(parser: Parser) -> None:
    _add_json(parser, "end with one line of JSON that says how it went")
    parser.add_argument("--detach", action="store_true", help="train in the background, and print the run's name")


def _add_json(parser: Parser, text: str = "as JSON") -> None:
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=text)


def _rate(text: str) -> float:
    try:
        lr = float(text)
    except ValueError:
        lr = 0.0
    if not 0 < lr <= 100:
        raise argparse.ArgumentTypeError(f"wants a number above 0, at most 100 (got '{plain(text)[:40]}')")
    return lr


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("wants the path of a folder")
    return expanded(text).absolute()

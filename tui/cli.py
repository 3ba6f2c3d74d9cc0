"""The command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NoReturn

from engine.run_folder import RunFolderError
from engine.streams import discard
from engine.text import plain
from presets import PresetError
from tui.entry import EXIT_INTERRUPTED
from tui.errors import CommandError
from tui.output import prepare_streams
from tui.parsers import Parser, make_parsers

EXIT_USAGE = 2


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
        discard(sys.stdout)
        return 0
    except OSError as error:
        where = f"{plain(str(error.filename))}: " if error.filename else ""
        _tell(f"{where}{(error.strerror or str(error)).lower()}")
        discard(sys.stdout)
        return 1
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _run(argv: list[str]) -> int:
    _check_place()
    parser, commands = make_parsers()
    at = _command_place(argv)
    if at is not None and argv[at] not in commands:
        raise CommandError(f"no command '{plain(argv[at])[:80]}'; {_command_hint(argv[at], list(commands))}")
    argv, settings = _part_settings(argv, at, commands)
    try:
        args, unknown = parser.parse_known_args(argv)
    except SystemExit as ended:  # after --help or --version
        sys.stdout.flush()
        return int(ended.code or 0)
    if unknown:
        _refuse_unknown(unknown[0], commands.get(args.command or "", parser))
    args.settings = settings
    # imported only now, so that no command waits for another's libraries
    module, _, function = args.act.partition(":")
    return int(getattr(import_module(module), function)(args))


def _check_place() -> None:
    """Without a current folder each library fails in its own way, and blames something else."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise CommandError("the folder you are in is gone: cd to another one") from None


def _part_settings(argv: list[str], at: int | None, commands: Mapping[str, Parser]) -> tuple[list[str], dict[str, Any]]:
    """Take the settings out of `dltui … train …` or `show`, before argparse mistakes their values for a preset."""
    if at is None or argv[at] not in ("train", "show"):
        return argv, {}
    from tui.arguments import take_settings  # takes a while, with the schema

    own = {option: action.nargs != 0 for action in commands[argv[at]]._actions for option in action.option_strings}
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


def _command_hint(name: str, commands: list[str]) -> str:
    from presets.loader import find_preset

    if find_preset(name) or name.endswith(".toml"):
        return f"did you mean: dltui train {plain(name)}?"
    near = get_close_matches(name, commands, n=1, cutoff=0.6)
    return f"did you mean: dltui {near[0]}?" if near else f"there are {', '.join(commands)}"


def _refuse_unknown(token: str, parser: Parser) -> NoReturn:
    if not token.startswith("-"):
        raise CommandError(f"'{plain(token)[:80]}' is one argument too many; see: {parser.prog} --help")
    flag = token.partition("=")[0]
    near = get_close_matches(flag, [option for action in parser._actions for option in action.option_strings], n=1)
    hint = f"did you mean {near[0]}?" if near else f"see: {parser.prog} --help"
    raise CommandError(f"unknown flag {plain(flag)[:80]}; {hint}")


def _tell(message: str) -> None:
    with suppress(OSError):
        print(f"dltui: {plain(message)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

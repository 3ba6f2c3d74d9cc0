"""`dltui replay`: a run again, with what people did to it at the same steps, and whether it comes out the same."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING, TextIO

from engine.run_folder import RunFolder, find_run
from engine.streams import result_stream
from engine.text import plain
from tui.errors import CommandError
from tui.output import print_json
from tui.torch_door import importing_torch

if TYPE_CHECKING:
    from engine.replay import Comparison


def replay(args: Namespace) -> int:
    """`dltui replay RUN`; exit status 0 if the weights are the same bit for bit, else 1."""
    source = find_run(args.runs, args.run)
    source.config()  # a damaged configuration is better told of before torch is imported
    with importing_torch():
        from engine.checkpoint import CheckpointError
        from engine.replay import replay as train_again
    with result_stream(args.json) as stream:
        try:
            found = train_again(source, args.runs, args.json)
        except CheckpointError as error:
            raise CommandError(plain(str(error)), 1) from None
        return 1 if found is None else _tell(source, found, args.json, stream)


def _tell(source: RunFolder, found: Comparison, as_json: bool, stream: TextIO) -> int:
    name, again = plain(source.name), plain(found.replay.name)
    if as_json:
        facts = {"run": name, "replay": again, "dir": str(found.replay.path), "is_same": found.is_same}
        numbers = ("step", "commands", "tensors", "different", "largest_difference")
        print_json(facts | {key: getattr(found, key) for key in numbers}, stream)
    else:
        print(_in_words(name, again, found.step, found.commands, found.tensors, found.different))
    if not found.is_same:
        hint = "a GPU repeats its bits only with trainer.deterministic" if "cuda" in found.device else ""
        print(f"dltui: largest difference {found.largest_difference:.3g}{'; ' if hint else ''}{hint}", file=sys.stderr)
    return 0 if found.is_same else 1


def _in_words(name: str, again: str, step: int, commands: int, tensors: int, different: int) -> str:
    changes = f"with {commands} change{'s' * (commands != 1)} of the learning rate" if commands else "untouched"
    outcome = "the same weights, bit for bit" if not different else f"other weights in {different} of {tensors} tensors"
    return f"{again} went the way of {name} to step {step:,}, {changes}: {outcome}"

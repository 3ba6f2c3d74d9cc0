"""`dltui replay`: a run again, with what people did to it at the same steps, and whether it comes out the same."""

from __future__ import annotations

import sys
from argparse import Namespace

from engine.run_folder import find_run
from engine.text import plain
from tui.errors import CommandError
from tui.output import print_json
from tui.torch_door import importing_torch


def replay(args: Namespace) -> int:
    """`dltui replay RUN`; exit status 0 if the weights are the same bit for bit, else 1."""
    source = find_run(args.runs, args.run)
    source.config()  # a damaged configuration is better told of before torch is imported
    with importing_torch():
        from engine.checkpoint import CheckpointError
        from engine.replay import replay as train_again
    try:
        found = train_again(source, args.runs, args.json)
    except CheckpointError as error:
        raise CommandError(plain(str(error)), 1) from None
    if found is None:
        return 1
    name, again = plain(source.name), plain(found.replay.name)
    if args.json:
        facts = {"run": name, "replay": again, "dir": str(found.replay.path), "is_same": found.is_same}
        numbers = ("step", "commands", "tensors", "different", "largest_difference")
        print_json(facts | {key: getattr(found, key) for key in numbers})
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

"""`dltui ask RUN "a text"`: what a run's model makes of a text, while it trains or afterwards."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from typing import Any, NamedTuple
from uuid import uuid4

from engine import commands as cmd
from engine import events as ev
from engine.commands import TEXT_LIMIT
from engine.run_folder import RunFolder, find_run
from engine.streams import result_stream
from engine.text import plain
from tui.errors import CommandError
from tui.output import styled
from tui.steer import ask_engine, open_run
from tui.torch_door import importing_torch

CLASSES_SHOWN = 8
NAME_CELLS = 40


class Answer(NamedTuple):
    """A probability for each class by its name, and what gave them."""

    values: dict[str, float]
    step: int
    source: str
    """training, or the checkpoint's name."""


def ask(args: Namespace) -> int:
    """`dltui ask RUN TEXT`."""
    folder = find_run(args.runs, args.run)
    text = plain(sys.stdin.read(TEXT_LIMIT) if args.text == "-" else args.text)[:TEXT_LIMIT]
    kind = folder.config().data
    if not getattr(kind, "asks", ""):
        raise CommandError(
            f"run '{plain(folder.name)}' can't be asked: that takes a run on texts, and its data is '{kind.kind}'"
        )
    is_training = folder.holder() and not args.best
    with result_stream(args.json) as stream:
        answer = _ask_training(folder, args, text) if is_training else _ask_checkpoint(folder, args, text)
        print(_as_json(folder, answer) if args.json else _in_words(folder, answer), file=stream)
    return 0


def _ask_training(folder: RunFolder, args: Namespace, text: str) -> Answer:
    """Ask the engine that holds the run.

    Raises:
        CommandError: it has no answer to this text, or gave none in time.
    """
    command = cmd.Ask(id=uuid4().hex, text=text)
    event = ask_engine(open_run(args), command, ev.Answered, is_mine=lambda event: event.id == command.id)
    assert isinstance(event, ev.Answered)
    if event.refusal:
        raise CommandError(f"run '{plain(folder.name)}': {plain(event.refusal)}")
    return Answer(event.values, event.step, "training")


def _ask_checkpoint(folder: RunFolder, args: Namespace, text: str) -> Answer:
    """Ask the model of a checkpoint, in this process.

    Raises:
        CommandError: there is no checkpoint, it can't be used, or it has no answer to this text.
    """
    source = "best" if args.best else "last"
    if not (folder.checkpoints / source).exists():
        raise CommandError(f"run '{plain(folder.name)}' has no checkpoint '{source}' yet")
    with importing_torch():
        from engine.asking import AskingError, ask_checkpoint
    try:
        reply = ask_checkpoint(folder, source, text)
    except AskingError as error:
        raise CommandError(plain(str(error))) from None
    return Answer(reply.values, reply.step, source)


def _as_json(folder: RunFolder, answer: Answer) -> str:
    values: dict[str, Any] = {"run": folder.name, "step": answer.step, "from": answer.source, "values": answer.values}
    return json.dumps(values)


def _in_words(folder: RunFolder, answer: Answer) -> str:
    """The likeliest classes first, and below them where the answer comes from."""
    ranked = sorted(answer.values.items(), key=lambda item: -item[1])
    parts = [f"{plain(name)[:NAME_CELLS]} {share:.2f}" for name, share in ranked[:CLASSES_SHOWN]]
    parts[0] = styled(parts[0], "bold")
    if len(ranked) > CLASSES_SHOWN:
        parts.append(f"and {len(ranked) - CLASSES_SHOWN} more")
    source = "which is training" if answer.source == "training" else f"from checkpoints/{answer.source}"
    where = f"{plain(folder.name)} at step {answer.step:,}, {source}"
    return f"{'   '.join(parts)}\n{styled(where, 'dim')}"

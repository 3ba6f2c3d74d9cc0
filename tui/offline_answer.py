"""Asks a run that nobody trains, by `dltui ask` in a process of its own: the screen itself never imports torch."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import NamedTuple

from engine.run_folder import RunFolder
from engine.text import plain

# -P keeps a file called tui.py in the working folder from being taken for the UI
ASK = (sys.executable, "-P", "-m", "tui.cli", "ask")


class Answer(NamedTuple):
    """What a model made of a text."""

    values: dict[str, float]
    """A probability for each class, by its name."""
    step: int
    source: str
    """The checkpoint that it comes from; empty for a run that trains."""


class NoAnswer(Exception):
    """There is none; the message is one line and says why."""


async def ask_last_checkpoint(folder: RunFolder, text: str) -> Answer:
    """What the last checkpoint of a run makes of `text`. Cancelling this ends the process.

    Raises:
        NoAnswer: the process failed, or has no answer.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *ASK,
            str(folder.path),
            "-",
            "--json",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise NoAnswer(f"no process can be started to ask in: {error.strerror}") from None
    try:
        out, err = await process.communicate(text.encode("utf-8", "replace"))
    except asyncio.CancelledError:
        process.kill()
        raise
    if process.returncode:
        last = (err.decode("utf-8", "replace").splitlines() or ["no reason given"])[-1]
        raise NoAnswer(plain(last.removeprefix("dltui: ")))
    try:
        told = json.loads(out)
        values = {plain(str(name)): float(share) for name, share in told["values"].items()}
        source = "" if told["from"] == "training" else f"checkpoints/{told['from']}"
        return Answer(values, int(told["step"]), source)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NoAnswer("the answer can't be understood") from None

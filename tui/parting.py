"""What is said after the UI has gone: which runs go on without it, and the way back."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from engine.places import runs_dir
from engine.run_folder import RunFolder, iter_runs
from engine.text import plain

NAMED = 3
HEARD_OF_LATELY = 500
"""The most recently changed runs, among which those that go on are: each of them says something every two seconds."""


def parting_words(runs: Path, training: Iterable[RunFolder] = ()) -> str:
    """One line about runs that are being trained; empty if there are none.

    Args:
        runs: The folder of all runs.
        training: Runs that are known to be trained, though their engines may not have taken them yet.
    """
    held = (folder for folder in islice(iter_runs(runs), HEARD_OF_LATELY) if folder.holder() is not None)
    names = list(dict.fromkeys(plain(folder.name) for folder in (*training, *held)))
    if not names:
        return ""
    back = f"back to {'it' if len(names) == 1 else 'one'}: dltui attach {names[0]}"
    if runs.absolute() != runs_dir():
        back += f" --runs {plain(str(runs))}"
    if len(names) == 1:
        return f"{names[0]} goes on; {back}"
    listed = ", ".join(names[:NAMED]) + (" …" if len(names) > NAMED else "")
    return f"{len(names)} runs go on: {listed}; {back}"

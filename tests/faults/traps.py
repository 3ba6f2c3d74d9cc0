"""What a stranger may put in the place of a file, and how to see that nobody stepped into it."""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

SECRET = "a secret of one's own"


def _socket(path: Path, outside: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's name must be short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


TRAPS: dict[str, Callable[[Path, Path], object]] = {
    "pipe": lambda path, outside: os.mkfifo(path),
    "socket": _socket,
    "folder": lambda path, outside: path.mkdir(),
    "device": lambda path, outside: path.symlink_to("/dev/zero"),
    "terminal": lambda path, outside: path.symlink_to("/dev/tty"),
    "link to a file": lambda path, outside: path.symlink_to(outside / "secret.txt"),
    "link to a folder": lambda path, outside: path.symlink_to(outside),
    "link to a parent": lambda path, outside: path.symlink_to(".."),
    "link to itself": lambda path, outside: path.symlink_to(path.name),
    "link to nothing": lambda path, outside: path.symlink_to(outside / "made"),
}


def make_outside(folder: Path) -> Path:
    """A folder of one's own that nobody else may read or change."""
    outside = folder / "outside"
    (outside / ".last-1").mkdir(parents=True)
    (outside / "secret.txt").write_text(SECRET)
    (outside / ".last-1" / "kept.txt").write_text(SECRET)
    return outside


def is_untouched(outside: Path) -> bool:
    """Whether the folder is as `make_outside` left it."""
    found = sorted(str(path.relative_to(outside)) for path in outside.rglob("*"))
    kept = (outside / "secret.txt", outside / ".last-1" / "kept.txt")
    return found == [".last-1", ".last-1/kept.txt", "secret.txt"] and all(path.read_text() == SECRET for path in kept)


class RunsCode:
    """Unpickled, it makes a file."""

    def __init__(self, marker: Path, function: Any = os.mkdir) -> None:
        self._call = function, (str(marker),)

    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return self._call


def pickles(marker: Path) -> dict[str, bytes]:
    """Pickles that run code when loaded by `pickle`, in several disguises."""
    direct, spelled = RunsCode(marker), RunsCode(marker, eval)
    spelled._call = eval, (f"__import__('os').mkdir({str(marker)!r})",)
    state = {"version": 1, "step": 3, "optimizer": direct}
    return {
        "bare": pickle.dumps(direct),
        "in a state": pickle.dumps(state),
        "in a key": pickle.dumps({"version": 1, "step": 3, ("x", spelled): 1}),
        "spelled": pickle.dumps(spelled),
        **{f"protocol {number}": pickle.dumps(state, number) for number in range(6)},
    }

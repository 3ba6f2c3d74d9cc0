"""What tests of the command line share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from engine import events as ev
from engine.places import data_dir, runs_dir
from engine.run_folder import RunFolder, create_run
from presets import load_preset
from tui.cli import main


class Done(NamedTuple):
    """What a command came to."""

    status: int
    out: str
    err: str


Dltui = Callable[..., Done]


@pytest.fixture
def dltui(capfd: pytest.CaptureFixture[str]) -> Dltui:
    """Runs a command in this process."""

    def run(*arguments: str) -> Done:
        capfd.readouterr()
        status = main(arguments)
        return Done(status, *capfd.readouterr())

    return run


@pytest.fixture
def refused(dltui: Dltui) -> Callable[..., str]:
    """Runs a command that must fail as wrong usage, and gives the one line that says why."""

    def run(*arguments: str) -> str:
        done = dltui(*arguments)
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith("dltui: ")
        assert done.err.count("\n") == 1
        return done.err.removeprefix("dltui: ").rstrip("\n")

    return run


def make_run(name: str, *events: ev.AnyEvent, preset: str = "spiral-relu") -> RunFolder:
    """A run of `preset` in the tests' own folder, with `events` in its log."""
    folder = create_run(runs_dir(), load_preset(preset).config, data_dir(), name)
    record(folder, *events)
    return folder


def record(folder: RunFolder, *events: ev.AnyEvent) -> None:
    """Append `events` to the run's log, as an engine would."""
    with (folder.path / "events.jsonl").open("ab") as file:
        file.writelines(ev.encode(event) + b"\n" for event in events)

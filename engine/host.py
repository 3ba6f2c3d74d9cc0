"""The engine host: a process of its own for one run, out of reach of terminals.

    python -m engine.host RUN_PATH     train that run until it ends
    python -m engine.host --warm       import torch, print "ready", then train the run named on standard input

A warm host whose input closes before it is given a run goes away.
"""

from __future__ import annotations

import asyncio
import faulthandler
import io
import os
import signal
import sys
from pathlib import Path

from engine.commands import Stop
from engine.lasting import lasting
from engine.own_file import open_own
from engine.run_folder import RunFolder, RunFolderError


def main(arguments: list[str]) -> int:
    """Train one run; returns 0 unless it failed."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if arguments == ["--warm"]:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        path = _wait_for_run()
        return train(Path(path)) if path else 0
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m engine.host RUN_PATH | --warm", file=sys.stderr)
        return 2
    return train(Path(arguments[0]))


def _wait_for_run() -> str:
    # this is the wait that a warm host takes off the user
    with lasting():
        import engine.session  # noqa: F401
        from engine.warm_up import warm_up
    warm_up()
    print("ready", flush=True)
    return sys.stdin.readline().strip()


def train(path: Path) -> int:
    """Train the run at `path`, with everything printed going to its console.log."""
    folder = RunFolder(path)
    _redirect_output(folder.path / "console.log")
    try:
        return asyncio.run(_train(folder))
    except RunFolderError as error:
        print(f"dltui: {error}", file=sys.stderr, flush=True)
        return 1


async def _train(folder: RunFolder) -> int:
    with lasting():
        from engine.events import RunFailed
        from engine.session import Session
    session = Session(folder)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, session.request, Stop(reason=number.name))
    async for _ in session.events():
        pass
    ending = session.state.ending
    if isinstance(ending, RunFailed):
        print(f"{ending.traceback}\ndltui: {ending.in_a_line}".strip(), file=sys.stderr, flush=True)
        return 1
    return 0


def _redirect_output(path: Path) -> None:
    """Send standard output and errors into `path`, and take input from nowhere; a host never has a terminal."""
    try:
        log = open_own(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    except OSError:
        log = os.open(os.devnull, os.O_WRONLY)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log)
    os.close(nothing)
    # whatever a user's code prints is there at once, and where it was if it takes the whole process down
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    faulthandler.enable()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

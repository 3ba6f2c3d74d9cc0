"""`dltui` as processes of its own: started, watched, signalled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from engine import events as ev
from engine.run_folder import RunFolder

DLTUI = [sys.executable, "-P", "-m", "tui.cli"]
SLOW = (
    *("--epochs", "1000000", "--device", "cpu", "--log-every", "20"),
    *("--model.kind", "custom", "--model.target", f"{Path(__file__).with_name('slow_net.py')}:SlowNet"),
)
"""Settings of a spiral-relu that goes on for longer than any test, and mostly sleeps."""


def start(*argv: str, **options: Any) -> subprocess.Popen[str]:
    """`dltui argv` with its output in pipes."""
    return subprocess.Popen([*DLTUI, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def dltui(*argv: str, status: int = 0) -> str:
    """What `dltui argv` prints; it must end with `status`."""
    done = subprocess.run([*DLTUI, *argv], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == status, f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def shown(name: str) -> dict[str, Any]:
    """What `dltui show --json` says of a run."""
    facts: dict[str, Any] = json.loads(dltui("show", name, "--json"))
    return facts


def events_of(folder: Path) -> list[ev.AnyEvent]:
    """All that happened in the run at `folder`."""
    return list(RunFolder(folder).read_events().read_all())


def halt(process: subprocess.Popen[Any]) -> None:
    """Have the kernel stop `process`, and wait until it has: until then it may still do something."""
    process.send_signal(signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)


def wait_until(condition: Callable[[], object], what: str, within_s: float = 60) -> None:
    """Look every so often until `condition` holds.

    Raises:
        AssertionError: it has not come to hold within `within_s`.
    """
    until_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until_s, f"{what} has not happened within {within_s} s"
        time.sleep(0.05)


def wait_for_step(folder: Path, step: int, within_s: float = 60) -> None:
    """Wait until the run at `folder` has logged `step`."""
    wait_until(
        lambda: any(isinstance(event, ev.MetricsLogged) and event.step >= step for event in events_of(folder)),
        f"step {step}",
        within_s,
    )


def alive(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # no /proc on this system
        return True


def names(events: Sequence[ev.AnyEvent]) -> list[str]:
    """Kinds of events, in order."""
    return [type(event).__name__ for event in events]

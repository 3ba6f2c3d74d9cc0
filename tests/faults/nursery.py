"""A process that has imported torch and the engine, and forks a child for each run: a trial costs the run alone.

    python -m tests.faults.nursery     reads an order a line from standard input, answers each with a line

The parent imports and does nothing else with torch, whose threads don't live through a fork.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

LIMIT_S = 120.0


class Life(NamedTuple):
    """How an engine fared."""

    code: int | None
    """What it exited with; None if it was killed."""
    at: str
    """The moment it died at; "outside" if something else killed it, empty if it came to an end of its own."""
    moments: dict[str, int]
    """How often it went through each kind of moment; empty if it was killed from outside."""


class Nursery:
    """Lets engines live, one at a time, and tells how each fared."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def train(
        self,
        run: Path,
        die_at: tuple[str, int] | None = None,
        ask: Mapping[int, Mapping[str, Any]] | None = None,
        log_takes_s: float = 0.0,
    ) -> Life:
        """Train a run until it ends, or until the moment of its death.

        Args:
            run: The run's folder.
            die_at: A moment's name, and which of that name to die at, from 1; see `tests.faults.moments`.
            ask: Commands by the number of steps before the one in which they are asked for: they are obeyed after it.
            log_takes_s: How long each write to the log takes.
        """
        return self._order({"run": str(run), "die_at": die_at, "ask": ask or {}, "log_takes_s": log_takes_s})

    def kill_from_outside(self, run: Path, after_bytes: int) -> Life:
        """Train a run with nothing about it changed, and kill it once its log is longer than that."""
        return self._order({"run": str(run), "kill_after_bytes": after_bytes})

    def _order(self, order: Mapping[str, Any]) -> Life:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the nursery has died"
        life = Life(**json.loads(answer))
        assert life.at != "hung", f"the engine of {order} has not ended within {LIMIT_S} s"
        return life

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(LIMIT_S)
        self._process.stdout.close()


def main() -> None:
    """Take orders until there are no more."""
    import sklearn.datasets  # noqa: F401 - what data sets would import
    import torch.nn.modules.rnn  # noqa: F401

    import engine.session  # noqa: F401

    gc.collect()
    gc.freeze()  # children share what was imported
    for line in sys.stdin:
        print(json.dumps(_serve(json.loads(line))), flush=True)


def _serve(order: Mapping[str, Any]) -> dict[str, Any]:
    source, target = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            os.close(source)
            code = _live(order, target)
        finally:
            os._exit(code)
    os.close(target)
    status, at = _wait(pid, Path(order["run"]), order.get("kill_after_bytes"))
    with os.fdopen(source, "rb") as pipe:
        told = json.loads(pipe.read() or b'{"moments": {}, "at": ""}')
    killed = os.WIFSIGNALED(status)
    if killed:
        at = at or told["at"] or "outside"
    return {"code": None if killed else os.WEXITSTATUS(status), "at": at if killed else "", "moments": told["moments"]}


def _live(order: Mapping[str, Any], target: int) -> int:
    """The child's whole life."""
    from engine import host

    if "kill_after_bytes" in order:
        return host.train(Path(order["run"]))
    from tests.faults.moments import Moments

    write = os.write

    def report(counts: Counter[str], at: str) -> None:
        write(target, json.dumps({"moments": counts, "at": at}).encode())

    run = Path(order["run"])
    moments = Moments(run, tuple(order["die_at"]) if order["die_at"] else None, report, order["log_takes_s"])
    if order["ask"]:
        moments.steps_begun = _asking(run, {int(step): told for step, told in order["ask"].items()})
    moments.watch()
    code = host.train(run)
    report(moments.counts, "")
    return code


def _asking(run: Path, asks: dict[int, dict[str, Any]]) -> Callable[[int], None]:
    """Append a command when its step begins, and let the engine read it before the step is taken."""
    from engine.inbox import Inbox

    arrived = threading.Event()
    put = Inbox.put

    def noticed(inbox: Inbox, command: Any) -> None:
        put(inbox, command)
        arrived.set()

    Inbox.put = noticed  # type: ignore[method-assign,assignment]

    def begin(step: int) -> None:
        if command := asks.pop(step, None):
            arrived.clear()
            with (run / "commands.jsonl").open("a") as file:
                file.write(json.dumps({"at": time.time(), **command}) + "\n")
            assert arrived.wait(LIMIT_S / 2), "the engine has not read its commands"

    return begin


def _wait(pid: int, run: Path, kill_after_bytes: int | None) -> tuple[int, str]:
    """The child's exit status; and "hung" if it had to be killed for taking too long."""
    log, until_s, at = run / "events.jsonl", time.monotonic() + LIMIT_S, ""
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status, at
        if time.monotonic() > until_s:
            at = "hung"
            os.kill(pid, signal.SIGKILL)
        if kill_after_bytes is not None and log.stat().st_size > kill_after_bytes:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.005 if kill_after_bytes is None else 0.001)


if __name__ == "__main__":
    main()

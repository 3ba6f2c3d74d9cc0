"""The moments of an engine's life: counted, and one of them chosen for its death.

Whatever an engine does to its files, and each step and evaluation, is a moment before it and one after it, and writes
have one in their middle. They are told apart by names such as "after rename of draft", so that a kill which was drawn
once hits the same place again. Time is counted in training steps for the same reason.
"""

from __future__ import annotations

import io
import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

LOG = "events.jsonl"
STEP_S = 0.004
"""What a step takes by the engine's clock: a checkpoint is due every 13 steps where settings say 0.05 s."""
CALLS = ("fsync", "ftruncate", "pwrite", "rename", "replace", "symlink", "mkdir", "unlink", "rmdir")
NAMES = {LOG: "log", "weights.safetensors": "weights", "state.pt": "state"}
PATTERNS = {
    r"\.draft-.*": "draft",
    r"\.(last|best)-.*|step-\d+": "checkpoint",
    r"\.link-.*|last|best": "link",
    r".*\.npz": "figure",
    r"checkpoints|figures": "folder",
    r"[._a-z]*": "file",
}


class Moments:
    """Counts moments by name in this process, which it ends at one of them.

    Args:
        run: The run's folder.
        die_at: The moment to die at, and which of that name, from 1.
        report: Is told the counts, and the moment of death, before this process is killed.
        log_takes_s: How long each write to the log takes, as on a disk that is busy.
    """

    def __init__(
        self,
        run: Path,
        die_at: tuple[str, int] | None,
        report: Callable[[Counter[str], str], None],
        log_takes_s: float = 0.0,
    ) -> None:
        self._run, self._die_at, self._report, self._log_takes_s = run, die_at, report, log_takes_s
        self._guard = threading.RLock()
        self.counts: Counter[str] = Counter()
        self._clock_s = 1.0
        self.steps_begun: Callable[[int], None] = lambda step: None
        """Called before each training step with the number of steps before it."""

    def meet(self, name: str) -> None:
        """This is the moment called `name`."""
        with self._guard:
            self.counts[name] += 1
            if self._die_at == (name, self.counts[name]):
                self._report(self.counts, name)
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Let this process, which is to train one run and end, go through moments."""
        for name in CALLS:
            setattr(os, name, self._around(name, getattr(os, name)))
        os.write = self._writing_log(os.write)
        io.open = self._opening(io.open)
        time.perf_counter = self._tell_time
        self._watch_checkpoints()
        self._watch_trainer()

    def _around(self, name: str, call: Callable[..., Any], of: str = "") -> Callable[..., Any]:
        def watched(*args: Any, **options: Any) -> Any:
            what = of or f"{name} of {_said(args[0])}"
            self.meet(f"before {what}")
            result = call(*args, **options)
            self.meet(f"after {what}")
            return result

        return watched

    def _writing_log(self, write: Callable[[int, Any], int]) -> Callable[[int, Any], int]:
        """Writes to the log pass a moment in mid-line, and one before and after for each kind of event in them."""

        def watched(fd: int, data: Any) -> int:
            if _path_of(fd).name != LOG:
                return write(fd, data)
            kinds = re.findall(rb'^\{"event":"(\w+)"', data, re.MULTILINE)
            names = ["write of log", *(f"logging of {kind.decode()}" for kind in dict.fromkeys(kinds))]
            for name in names:
                self.meet(f"before {name}")
            half = len(data) // 2
            written = write(fd, data[:half])
            time.sleep(self._log_takes_s)
            self.meet("half a write of log")
            written += write(fd, data[half:])
            for name in names:
                self.meet(f"after {name}")
            return written

        return watched

    def _opening(self, open_file: Callable[..., Any]) -> Callable[..., Any]:
        """Files of the run that are opened to be written pass a moment in the middle of each write."""

        def watched(path: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
            file = open_file(path, mode, *args, **options)
            mine = isinstance(path, (str, Path)) and Path(path).is_relative_to(self._run)
            return _Halving(file, self, _said(path)) if mine and mode == "wb" else file

        return watched

    def _watch_checkpoints(self) -> None:
        import torch

        torch.load = self._around("load", torch.load, of="load of a checkpoint")
        torch.save = self._around("save", torch.save, of="packing of a checkpoint")

    def _watch_trainer(self) -> None:
        from engine import worker

        build: Callable[..., Any] = vars(worker)["Trainer"]

        def watched(config: Any, task: Any, *args: Any) -> Any:
            trainer = build(config, task, *args)
            train_step = self._around("step", task.train_step, of="a training step")

            def timed_step(inputs: Any, targets: Any) -> Any:
                self.steps_begun(trainer.step)
                self._clock_s += STEP_S
                return train_step(inputs, targets)

            task.train_step = timed_step
            task.evaluate = self._around("evaluate", task.evaluate, of="an evaluation")
            return trainer

        vars(worker)["Trainer"] = watched

    def _tell_time(self) -> float:
        """Time that depends on nothing but what the engine does."""
        self._clock_s += 1e-6
        return self._clock_s


class _Halving:
    """A file whose writes come in two halves, with a moment between them."""

    def __init__(self, file: Any, moments: Moments, what: str) -> None:
        self._file, self._moments, self._what = file, moments, what

    def write(self, data: Any) -> int:
        half = len(data) // 2
        self._moments.meet(f"before write of {self._what}")
        self._file.write(data[:half])
        self._file.flush()
        self._moments.meet(f"half a write of {self._what}")
        self._file.write(data[half:])
        self._file.flush()
        self._moments.meet(f"after write of {self._what}")
        return len(data)

    def __enter__(self) -> _Halving:
        return self

    def __exit__(self, *details: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _path_of(fd: int) -> Path:
    try:
        return Path(os.readlink(f"/proc/self/fd/{fd}"))
    except OSError:  # not a Linux: which file it is stays unknown
        return Path("file")


def _said(place: Any) -> str:
    """What a path or a file descriptor is to a run: "weights", "draft", "log"."""
    name = (_path_of(place) if isinstance(place, int) else Path(place)).name
    found = NAMES.get(name)
    return found or next((said for pattern, said in PATTERNS.items() if re.fullmatch(pattern, name)), "file")

"""How soon things are there: `python -m benchmarks.start [--repeats 5]`.

Every figure is of the real command in a real pseudo-terminal of 140 by 45, from the start of the process, or
from the key, to the byte that a person would see. The table goes to standard output and to docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.made_logs import started
from benchmarks.tables import in_turns, keep, ratio
from benchmarks.terminal import DLTUI, Pty
from engine import events as ev
from engine.run_folder import RunFolder, create_run
from presets import load_preset

PYTHON = sys.executable
BRAILLE = rb"\xe2[\xa0-\xa3][\x80-\xbf]"
RUNS = 1000
ROWS = 500
VISIBLE_RUNS = 15
"""Of the newest that Home must show at least, before the list counts as there."""
PAUSE_S = 2.0
"""Between two starts, so that what the last one left behind is over."""


def imports_s(modules: str) -> float:
    """Seconds of a process that imports `modules` and ends."""
    began_s = time.perf_counter()
    subprocess.run([PYTHON, "-c", f"import {modules}"], check=True)
    return time.perf_counter() - began_s


def attach_s(runs: Path, name: str) -> float:
    """Seconds from the start of `dltui attach` to the first piece of a curve."""
    time.sleep(PAUSE_S)
    with Pty([*DLTUI, "attach", name, "--runs", str(runs)]) as terminal:
        return terminal.seconds_until(BRAILLE)


def home_s(runs: Path) -> float:
    """Seconds from the start of `dltui` until Home shows its presets."""
    with Pty([*DLTUI, "--runs", str(runs)]) as terminal:
        return terminal.seconds_until(b"Regression")


def many_runs_s(runs: Path) -> float:
    """Seconds from Home's first frame until its list has the newest of many runs."""
    time.sleep(PAUSE_S)
    with Pty([*DLTUI, "--runs", str(runs)]) as terminal:
        painted_s = terminal.seconds_until(b"Presets")
        names = range(RUNS - VISIBLE_RUNS + 1, RUNS + 1)
        return max(terminal.seconds_until(run_name(number).encode()) for number in names) - painted_s


def share_at_rest(runs: Path, seconds: float = 10.0) -> float:
    """Part of a core that Home takes over many runs while nothing happens."""
    with Pty([*DLTUI, "--runs", str(runs)]) as terminal:
        terminal.seconds_until(run_name(RUNS).encode())
        terminal.watch(5.0)
        before_s = _cpu_s(terminal.pid)
        terminal.watch(seconds)
        return (_cpu_s(terminal.pid) - before_s) / seconds


def first_metric_s(runs: Path) -> float:
    """Seconds from F5 in the form to the first value of the training loss on the screen, with the warm host ready."""
    with Pty([*DLTUI, "--runs", str(runs)]) as terminal:
        terminal.seconds_until(b"Regression")
        terminal.watch(1.0)
        terminal.press(b"\r")
        terminal.seconds_until(b"Optimizer|optimizer")
        _wait_for_warm_host(terminal)
        terminal.press(b"\x1b[15~")
        return terminal.seconds_until(rb"train [0-9.]+")


def first_step_s() -> float:
    """Seconds from the start of `dltui train` until its first step has been taken, by the times in its log."""
    with tempfile.TemporaryDirectory() as folder:
        settings = ["--epochs", "3", "--log-every", "1", "--device", "cpu", "--name", "first"]
        began_at = time.time()
        command = [*DLTUI, "train", "linear-regression-synthetic", "--runs", folder, *settings]
        subprocess.run(command, check=True, capture_output=True)
        log = RunFolder(Path(folder) / "first").read_events()
        rows = [event for event in log.read_all() if isinstance(event, ev.MetricsLogged)]
    # rows are written some at a time: what lies least behind its step tells when the clock began
    training_began_at = min(row.at - row.elapsed_s for row in rows)
    return training_began_at + rows[0].elapsed_s - began_at


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _wait_for_warm_host(terminal: Pty) -> None:
    """Wait until the process that waits for a run has done nothing for a second."""
    for _ in range(60):
        hosts = [child for child in psutil.Process(terminal.pid).children() if "--warm" in child.cmdline()]
        before_s = [_cpu_s(host.pid) for host in hosts]
        terminal.watch(1.0)
        if hosts and sum(before_s) > 0.5 and [_cpu_s(host.pid) for host in hosts] == before_s:
            return
    raise TimeoutError("no warm host came to rest")


# -- what is looked at -------------------------------------------------------------------------------------------------


def run_name(number: int) -> str:
    """The name of one of many runs; a greater number was changed later."""
    return f"digits-mlp-{number:04}"


def make_runs(runs: Path, count: int) -> None:
    """Fill `runs` with finished runs of `ROWS` rows each."""
    first = create_run(runs, load_preset("digits-mlp").config, Path("data"), run_name(1))
    log = first.path / "events.jsonl"
    log.write_bytes(b"".join(ev.encode(event) + b"\n" for event in _history(time.time() - 1e6)))
    for number in range(2, count + 1):
        shutil.copytree(first.path, runs / run_name(number))
    for number in range(1, count + 1):
        changed_at = time.time() - 60.0 * (count + 1 - number)
        os.utime(runs / run_name(number) / "events.jsonl", (changed_at, changed_at))


def _history(began_at: float) -> Iterator[ev.AnyEvent]:
    epochs, steps = 30, 23
    yield started(began_at, steps, epochs)
    for row in range(1, ROWS + 1):
        step, at = row * epochs * steps // ROWS, began_at + row
        values = {"train/loss": 2.0 / row**0.5, "train/accuracy": 1 - 1 / (row + 1)}
        yield ev.MetricsLogged(step=step, at=at, steps=1, elapsed_s=float(row), lr=0.001, values=values)
        if row * epochs % ROWS < epochs:
            epoch, values = row * epochs // ROWS, {"val/loss": 2.2 / row**0.5, "val/accuracy": 1 - 1.2 / (row + 2)}
            yield ev.Evaluated(step=step, at=at, epoch=epoch, elapsed_s=float(row), values=values)
            yield ev.EpochEnded(step=step, at=at, epoch=epoch, elapsed_s=float(row))
    yield ev.RunFinished(step=epochs * steps, at=began_at + ROWS, elapsed_s=float(ROWS))


@contextmanager
def training(runs: Path, name: str) -> Iterator[None]:
    """A run that is being trained meanwhile, on one thread, and has some rows already."""
    settings = ["--epochs", "1000000", "--trainer.threads", "1", "--device", "cpu", "--log-every", "20"]
    started = subprocess.run(
        [*DLTUI, "train", "spiral-relu", "--runs", str(runs), "--name", name, "--detach", "--json", *settings],
        check=True,
        capture_output=True,
    )
    assert json.loads(started.stdout)
    try:
        while (runs / name / "events.jsonl").read_bytes().count(b"\n") < ROWS:
            time.sleep(0.5)
        yield
    finally:
        subprocess.run([*DLTUI, "stop", name, "--runs", str(runs)], check=True, capture_output=True)


# -- the table ---------------------------------------------------------------------------------------------------------


def main() -> None:
    """Measure, print the table, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as folder:
        few, many, own = (Path(folder) / name for name in ("few", "many", "own"))
        make_runs(few, 1)
        make_runs(many, RUNS)
        own.mkdir()
        seconds = in_turns(
            {
                "attach": lambda: attach_s(few, run_name(1)),
                "screen": lambda: home_s(few),
                "imports": lambda: imports_s("textual.app, textual.widgets, pydantic"),
                "many": lambda: many_runs_s(many),
                "metric": lambda: first_metric_s(own),
                "step": first_step_s,
                "torch": lambda: imports_s("torch"),
            },
            repeats,
        )
        with training(few, "live"):
            live = in_turns({"attach": lambda: attach_s(few, "live")}, repeats)["attach"]
        at_rest = share_at_rest(many)
    screen, step = ratio(seconds["screen"], seconds["imports"]), ratio(seconds["step"], seconds["torch"])
    rows = [
        _row("`dltui attach` of a run of 500 rows → its curve", statistics.median(seconds["attach"]), 1.0, "{:.2f} s"),
        _row("`dltui attach` of a run that is being trained → its curve", statistics.median(live), 1.0, "{:.2f} s"),
        _row(
            "`dltui` → presets on screen, against `import textual.app, textual.widgets, pydantic`",
            screen,
            1.5,
            "{:.2f} ×",
        ),
        _row("Home's first frame → list of 1,000 runs", statistics.median(seconds["many"]), 0.5, "{:.2f} s"),
        _row("Home over 1,000 runs, at rest, of one core", at_rest, 0.05, "{:.1%}"),
        _row("F5 in the form → first training loss on screen", statistics.median(seconds["metric"]), 0.5, "{:.2f} s"),
        _row("`dltui train` → first step taken, against `import torch`", step, 1.3, "{:.2f} ×"),
    ]
    notes = (
        "Each started as a process of its own in a pseudo-terminal of 140 by 45 that answers nothing, until the bytes "
        f"are written that a person would see; medians of {repeats} alternating runs. The warm host is ready where a "
        "run is started from the form."
    )
    keep("start", "How soon it is there", notes, ("what", "figure", "goal", "reached"), rows)


def _row(what: str, figure: float, goal: float, form: str) -> tuple[str, str, str, str]:
    return what, form.format(figure), f"≤ {form.format(goal)}", "yes" if figure <= goal else "no"


if __name__ == "__main__":
    main()

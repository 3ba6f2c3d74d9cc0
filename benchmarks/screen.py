"""What the screen costs a run, and how soon keys show: `python -m benchmarks.screen [--quick] [--data DIR]`.

Runs are trained by hosts of their own, as `dltui train --detach` starts them. In turns the same run goes on alone and
with `dltui attach` in a tmux of 140 x 45 on its run screen, where two charts are live; steps are counted by the log.
Keys are pressed in a pseudo-terminal at random moments while the run goes on. The tables go to standard output and to
docs/benchmarks.md. Needs tmux, and pyte of the development tools.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import numpy as np

from benchmarks.repaint import repaints
from benchmarks.tables import in_turns, keep, ratio
from benchmarks.terminal import DLTUI, Tmux, Usage
from engine import events as ev
from engine.places import data_dir
from engine.run_folder import RunFolder
from tui.app import DltuiApp, make_app
from tui.screens.run import RunScreen
from tui.themes import DARK
from tui.widgets.curves import Curve, Role
from tui.widgets.extents import Look, Mark
from tui.widgets.palette import Palette
from tui.widgets.picture import drawing_strips
from tui.widgets.plot import draw_chart

PRESETS = ("mnist-mlp", "linear-regression-synthetic")
"""The second takes a fraction of a millisecond per step and logs each: what the screen costs shows there first."""
SETTLE_S = 2.0
Row = tuple[str, str, str, str]


class LiveRun:
    """A run that goes on for longer than anybody measures.

    Args:
        preset: What is trained.
        runs: Where its folder is made.
    """

    def __init__(self, preset: str, runs: Path) -> None:
        self.name = f"{preset}-live"
        self.folder = RunFolder(runs / self.name)
        command = ["train", preset, "--name", self.name, "--epochs", "10000000", "--detach"]
        subprocess.run([*DLTUI, *command], check=True, capture_output=True)
        self._log = self.folder.read_events()
        self._rows: list[tuple[float, int]] = []

    def __enter__(self) -> LiveRun:
        while len(self._rows) < 20:
            time.sleep(0.2)
            self._read()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        subprocess.run([*DLTUI, "stop", self.name], check=True, capture_output=True)

    def steps_per_s(self, seconds: float) -> float:
        """Steps per second of the next `seconds`, by the instants of the rows in the log."""
        began_at = time.time()
        time.sleep(seconds)
        self._read()
        rows = [row for row in self._rows if row[0] >= began_at]
        self._rows.clear()
        (first_at, first_step), (last_at, last_step) = rows[0], rows[-1]
        return (last_step - first_step) / (last_at - first_at)

    def _read(self) -> None:
        while events := self._log.read():
            self._rows += [(event.at, event.step) for event in events if isinstance(event, ev.MetricsLogged)]


class Attached:
    """Measures a run with a screen on it.

    Args:
        run: The run.
        seconds: How long to look.
    """

    def __init__(self, run: LiveRun, seconds: float) -> None:
        self._run, self._seconds = run, seconds
        self.shares: list[float] = []
        """Of one core, used by the screen while nobody pressed a key."""
        self.memory_bytes = 0

    def steps_per_s(self) -> float:
        """Steps per second of the run while the screen shows it."""
        with Tmux([*DLTUI, "attach", self._run.name]) as terminal:
            terminal.wait_for(r"(?s)by step.*by step")
            time.sleep(SETTLE_S)
            before, began_s = Usage.of(terminal.pid), time.perf_counter()
            steps_per_s = self._run.steps_per_s(self._seconds)
            after = Usage.of(terminal.pid)
            self.shares.append((after.cpu_s - before.cpu_s) / (time.perf_counter() - began_s))
            self.memory_bytes = max(self.memory_bytes, after.memory_bytes)
        return steps_per_s


def kept(run: LiveRun, seconds: float, repeats: int) -> list[Row]:
    """How much of its speed a run keeps with a screen on it, and what that screen uses."""
    attached = Attached(run, seconds)
    measures: dict[str, Callable[[], float]] = {
        "alone": lambda: run.steps_per_s(seconds),
        "attached": attached.steps_per_s,
    }
    speeds = in_turns(measures, repeats)
    share, preset = statistics.median(attached.shares), run.name.removesuffix("-live")
    speed = f"{statistics.median(speeds['alone']):,.0f} steps/s alone"
    return [
        _row(
            f"{preset}: training with the screen on it, {speed}", ratio(speeds["attached"], speeds["alone"]), 0.95, "x"
        ),
        _row(f"{preset}: the screen at rest, of one core", 100 * share, 15, "%"),
        (f"{preset}: memory of the screen's process", f"{attached.memory_bytes / 2**20:.0f} MiB", "", ""),
    ]


def keys(run: LiveRun, count: int, columns: int, lines: int) -> list[Row]:
    """How long from a key to what it asks for."""
    pressed = repaints(run.name, count, columns, lines)
    took_ms = [1000 * one.took_s for one in pressed if one.took_s is not None]
    where = f"key to repaint at {columns} x {lines}"
    rows: list[Row] = [
        (f"{where}: median of {len(pressed)} keys", f"{np.median(took_ms):.0f} ms", "", ""),
        _row(f"{where}: 95th percentile", float(np.percentile(took_ms, 95)), 50, "ms"),
        _row(f"{where}: 99th percentile", float(np.percentile(took_ms, 99)), 120, "ms"),
        _row(f"{where}: keys that showed nothing before the next", len(pressed) - len(took_ms), 0, ""),
    ]
    for name, sign in (("a pane", "123"), ("zoom", "z"), ("help opened", "?")):
        some_ms = [1000 * one.took_s for one in pressed if one.key in sign and one.took_s is not None]
        if some_ms:
            rows.append((f"{where}: median, {name}", f"{np.median(some_ms):.0f} ms", "", ""))
    return rows


def chart() -> Row:
    """What drawing one chart takes."""
    x, noise = np.arange(1.0, 501.0) * 20, np.random.default_rng(0).random(500)
    fall = np.exp(-np.linspace(0, 4, 500))
    curves = [Curve("train", x, fall + noise / 20, Role.TRAIN), Curve("val", x[::50], fall[::50], Role.VAL)]
    marks, palette = [Mark(3000, "lr 0.003")], _palette()
    took_ms = []
    for _ in range(300):
        began_s = time.thread_time()
        drawing_strips(draw_chart(curves, marks, 66, 17, Look()), palette)
        took_ms.append(1000 * (time.thread_time() - began_s))
    return ("a chart of 500 points drawn, 66 x 17", f"{statistics.median(took_ms):.1f} ms", "", "")


async def refresh(folder: RunFolder) -> Row:
    """What it takes to draw both charts of a run anew and to paint them, without the terminal."""
    app = make_app(folder.path.parent, data_dir(), open_run=folder, warm=False)
    took_ms = []
    async with app.run_test(size=(140, 45)) as pilot:
        await _settled(app)
        for _ in range(60):
            await asyncio.sleep(0.05)
            began_s = time.thread_time()
            assert isinstance(app.screen, RunScreen)
            app.screen.action_scale()
            await pilot.pause()
            took_ms.append(1000 * (time.thread_time() - began_s))
    return ("both charts drawn and painted anew", f"{statistics.median(took_ms):.1f} ms", "", "")


async def _settled(app: DltuiApp) -> None:
    for _ in range(600):
        if isinstance(app.screen, RunScreen) and app.screen.is_settled:
            return
        await asyncio.sleep(0.05)
    raise TimeoutError("the run was not read within 30 s")


def _palette() -> Palette:
    rgb = (200, 200, 200)
    return Palette(DARK.dark, (16, 20, 27), rgb, rgb, rgb, rgb, rgb, rgb, rgb)


def _row(what: str, figure: float, goal: float, unit: str) -> Row:
    """A figure beside its goal: at least that for a ratio, at most for all else."""
    if unit == "x":
        return (what, f"{figure:.2f}", f"≥ {goal:g}", "yes" if figure >= goal else "no")
    return (what, f"{figure:.0f} {unit}".strip(), f"≤ {goal:g} {unit}".strip(), "yes" if figure <= goal else "no")


def main() -> None:
    """Measure, print the table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_dir())
    parser.add_argument("--quick", action="store_true", help="fewer repeats and keys; nothing is kept")
    arguments = parser.parse_args()
    seconds, repeats, count = (2.0, 2, 40) if arguments.quick else (4.0, 9, 200)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="dltui-benchmark-") as runs:
        os.environ |= {"DLTUI_RUNS": runs, "DLTUI_DATA": str(arguments.data)}
        for preset in PRESETS:
            with LiveRun(preset, Path(runs)) as run:
                rows += kept(run, seconds, repeats)
                if preset == PRESETS[0]:
                    rows += keys(run, count, 140, 45) + keys(run, count, 80, 24)
                    first = run.folder
        rows += [chart(), asyncio.run(refresh(first))]
    notes = (
        f"Medians of {repeats} turns of {seconds:g} s each, alone and with `dltui attach` in tmux at 140 x 45, two"
        " charts live; keys pressed at random moments in a pseudo-terminal while mnist-mlp trains: panes, axes,"
        " smoothing, zoom, help."
    )
    if arguments.quick:
        for row in rows:
            print(" | ".join(row))
    else:
        keep("screen", "The screen", notes, ("what", "figure", "goal", "reached"), rows)


if __name__ == "__main__":
    main()

"""Memory over many steps: `python -m benchmarks.memory [--steps N]`, a part of benchmarks/growth.py.

An engine trains linear-regression-synthetic with automatic rows, and a headless application shows it meanwhile, each in
a process of its own: what they hold after a tenth, after half, and after all of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil

from engine import events as ev
from engine.places import data_dir
from engine.run_folder import RunFolder, create_run
from engine.schema import overlay, validate
from presets import load_preset

MIB = 1 << 20
SIZE = (140, 45)
SHARES = (0.1, 0.5, 1.0)
MOST_GROWTH = 8 * MIB

Rows = list[list[str]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1_000_000, help="how many, however long they take")
    parser.add_argument("--in-process", nargs=4, metavar=("WHAT", "FOLDER", "UNIT", "N"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.in_process:
        what, folder, unit, goal = args.in_process
        print(json.dumps(_CHILDREN[what](RunFolder(Path(folder)), _MemoryWatch(unit, int(goal)))))
        return
    with tempfile.TemporaryDirectory() as runs:
        for row in over_steps(Path(runs), args.steps):
            print(" | ".join(row))


def over_steps(runs: Path, steps: int) -> Rows:
    """Memory of an engine, and of a screen that follows it, in processes of their own, over so many steps."""
    return _over(runs, "steps", steps)


def over_time(runs: Path, seconds: int) -> Rows:
    """As `over_steps`, over so many seconds of training."""
    return _over(runs, "s", seconds)


def reached(what: str, figure: str, goal: str, is_reached: bool) -> list[str]:
    """A row of the table."""
    return [what, figure, goal, "yes" if is_reached else "no"]


def resident_bytes() -> float:
    """Memory of this process that is in use, in bytes."""
    return float(psutil.Process().memory_info().rss)


def _over(runs: Path, unit: str, goal: int) -> Rows:
    config = load_preset("linear-regression-synthetic").config
    settings = {"trainer": {"epochs": 1_000_000, "log_every": 0, "threads": 1}}
    folder = create_run(runs, validate(overlay(config.model_dump(mode="json"), settings)), data_dir(), "long")
    command = [sys.executable, "-m", "benchmarks.memory", "--in-process"]
    children = {
        what: subprocess.Popen([*command, what, str(folder.path), unit, str(goal)], stdout=subprocess.PIPE, text=True)
        for what in ("train", "follow")
    }
    rows = []
    for what, child in children.items():
        out, _ = child.communicate()
        if child.returncode:
            raise SystemExit(f"{what} failed")
        bytes_at = json.loads(out)
        growth = bytes_at["1.0"] - bytes_at["0.1"]
        name = {"train": "the engine", "follow": "the UI on its run screen"}[what]
        figure = " / ".join(f"{bytes_at[str(share)] / MIB:.1f}" for share in SHARES)
        rows.append(
            reached(
                f"memory of {name} at 10 / 50 / 100 % of {bytes_at['s']:,.0f} s, {bytes_at['steps']:,.0f} steps",
                f"{figure} MiB",
                f"at most {MOST_GROWTH // MIB} MiB more",
                growth <= MOST_GROWTH,
            )
        )
    return rows


class _MemoryWatch:
    """Notes the memory of this process when a run has done each of `SHARES` of its goal, and how far it is then.

    Args:
        unit: Of the goal: `s` of training, or `steps`.
        goal: How many of them.
    """

    def __init__(self, unit: str, goal: int) -> None:
        self.noted: dict[str, float] = {}
        self._unit, self._goal = unit, goal

    def look(self, elapsed_s: float, step: int) -> bool:
        """The run has trained for `elapsed_s`, up to `step`; whether that was all."""
        done = {"s": elapsed_s, "steps": step}
        for share in SHARES:
            if done[self._unit] >= share * self._goal and str(share) not in self.noted:
                self.noted |= {str(share): resident_bytes(), **done}
        return done[self._unit] >= self._goal


def _train(folder: RunFolder, watch: _MemoryWatch) -> dict[str, float]:
    import engine

    async def train() -> dict[str, float]:
        async for event in engine.run(folder.config(), folder.path, data_dir()):
            if isinstance(event, ev.MetricsLogged) and watch.look(event.elapsed_s, event.step):
                break
        return watch.noted

    return asyncio.run(train())


def _follow(folder: RunFolder, watch: _MemoryWatch) -> dict[str, float]:
    from tui.app import make_app
    from tui.screens.run import RunScreen

    async def follow() -> dict[str, float]:
        app = make_app(folder.path.parent, data_dir(), open_run=folder, warm=False)
        async with app.run_test(size=SIZE):
            while True:
                await asyncio.sleep(0.05)
                screen = app.screen
                if isinstance(screen, RunScreen):
                    state = screen.follower.state
                    if watch.look(state.elapsed_s, state.step):
                        return watch.noted
                    if state.ending is not None:
                        raise SystemExit(f"the run ended after {state.elapsed_s:.1f} s")

    return asyncio.run(follow())


_CHILDREN: dict[str, Callable[[RunFolder, _MemoryWatch], dict[str, float]]] = {"train": _train, "follow": _follow}

if __name__ == "__main__":
    main()

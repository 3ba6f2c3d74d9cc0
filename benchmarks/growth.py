"""Cost as work grows: `python -m benchmarks.growth [--quick] [--steps N]`.

Logs are written as an engine writes them, with heartbeats, epochs and evaluations among their rows: a row for every
step, 80 a second, of which those of a fifth of a second share lines; a row for every step of 0.2 s, which share lines
as the run grows older; and rows each for itself, as engines wrote those before December 2026. They are read beside
the real application, headless, in processes of their own: the time until all is known, five times; the longest that
the event loop was kept from its turn, five times more, since asking for a turn a thousand times a second takes time
as well; and they are shown by it: the memory of the process. A redraw is measured from a new row to the finished
lines of a chart, in seconds of the thread, medians of 50, in three rounds in turns; a run of 1,000 rows has fewer
points than a chart shows of any longer one, hence a quicker picture. For a day of logging real presets train for a
while as in a run that takes a day, and what they log from their fifth second on goes on for a day; as an engine grows
older pictures are drawn less often and rows cover more, as engine/figure_studio.py and engine/meters.py say. Memory
over many steps is that of an engine that trains linear-regression-synthetic with automatic rows, and of a headless
application that shows it meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from benchmarks.made_logs import started
from benchmarks.memory import MIB, SIZE, Rows, over_steps, over_time, reached, resident_bytes
from benchmarks.tables import keep, ratio
from engine import events as ev
from engine.event_lines import lines_of
from engine.places import data_dir
from engine.run_folder import RunFolder, create_run
from engine.schema import overlay, validate
from presets import load_preset

DAY_S = 86_400
FLUSH_S, ROWS_WHEN_OLD, HEARTBEAT_EVERY_S = 0.2, 100_000, 2.0
"""As in engine/meters.py and engine/session.py; these bring torch, which processes that open runs must not."""


class Sort(Enum):
    """Which rows a log has."""

    EVERY_STEP = "a row for every step"
    SLOW = "a row for every step of 0.2 s"
    ALONE = "each row for itself"


def main() -> None:
    """Measure, print and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows and of the training")
    parser.add_argument("--steps", type=int, help="memory over so many steps however long they take, not over 100 s")
    parser.add_argument("--in-process", nargs=3, metavar=("WHAT", "FOLDER", "N"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.in_process:
        what, folder, count = args.in_process
        print(json.dumps(_CHILDREN[what](RunFolder(Path(folder)), int(count))))
        return
    share = 10 if args.quick else 1
    with tempfile.TemporaryDirectory() as runs:
        rows = [
            *(row for sort in Sort for row in _opening(Path(runs), 1_000_000 // share, sort)),
            *_redrawing(Path(runs), [1000, 10_000, 1_000_000 // share]),
            *_logging(Path(runs), 45 // share),
            *(over_steps(Path(runs), args.steps) if args.steps else over_time(Path(runs), 100 // share)),
        ]
    notes = " ".join((__doc__ or "").partition("\n\n")[2].split())
    keep("growth", "Cost as work grows", notes, ["what", "figure", "goal", "reached"], rows)


# -- a long log ----------------------------------------------------------------------------------------------------


def _opening(runs: Path, count: int, sort: Sort) -> Rows:
    folder = write_run(runs, count, sort)
    megabytes = (folder.path / "events.jsonl").stat().st_size / 1e6
    took_s, longest_s = (
        statistics.median(_in_process(what, folder, count)["seconds"] for _ in range(5)) for what in ("open", "wait")
    )
    shown = _in_process("show", folder, count)
    resident = shown["resident_bytes"] / MIB
    longest_ms = longest_s * 1e3
    what = f"log of {count:,} rows, {sort.value}, {megabytes:.0f} MB"
    beside = f"{shown['before_bytes'] / MIB:.0f} MiB before"
    return [
        reached(f"{what}: read, and all of it known", f"{took_s:.2f} s", "1 s", took_s < 1),
        reached(f"{what}: the longest that a key waits meanwhile", f"{longest_ms:.0f} ms", "50 ms", longest_ms < 50),
        reached(f"{what}: memory of the UI that shows it, {beside}", f"{resident:.0f} MiB", "200 MiB", resident <= 200),
    ]


def _redrawing(runs: Path, counts: list[int]) -> Rows:
    folders = {count: write_run(runs, count) for count in counts}
    rounds = [{count: _in_process("redraw", folder, count) for count, folder in folders.items()} for _ in range(3)]
    rows = []
    for way in _WAYS:
        short, dense, long = ([1e3 * one[count][way] for one in rounds] for count in counts)
        over_dense = ratio(long, dense)
        figure = " / ".join(f"{statistics.median(one):.1f}" for one in (short, dense, long))
        ratios = f"ratio {over_dense:.2f} of the last two, {ratio(long, short):.2f} of the longest to the shortest"
        what = f"redraw {way}, {' / '.join(f'{count:,}' for count in counts)} rows"
        rows.append(reached(what, f"{figure} ms, {ratios}", "ratio 1.25 of the last two", over_dense < 1.25))
    return rows


def write_run(runs: Path, count: int, sort: Sort = Sort.EVERY_STEP) -> RunFolder:
    """A run whose log has `count` rows of two metrics, heartbeats, epochs and evaluations among them; made once.

    Args:
        runs: Where the run goes.
        count: How many rows.
        sort: Of rows.
    """
    name = f"rows-{count}-{sort.name.lower()}"
    if (runs / name).exists():
        return RunFolder(runs / name)
    folder = create_run(runs, load_preset("mnist-mlp").config, Path("data"), name)
    with (folder.path / "events.jsonl").open("wb") as file:
        file.writelines(line + b"\n" for line in lines_of(_events(count, sort)))
    return folder


def _events(count: int, sort: Sort) -> Iterator[ev.AnyEvent]:
    """What happens in a run of so many rows."""
    began_at, step_s, draw = 1_760_000_000.0, 0.2 if sort is Sort.SLOW else 0.0125, random.Random(1)
    handed_on_s = beat_s = 0.0
    waiting: list[ev.MetricsLogged] = []
    yield started(began_at, 1000, max(1, count // 1000))
    for step in range(1, count + 1):
        elapsed_s, share, epoch = round(step * step_s, 4), step / count, step // 1000
        at = round(began_at + elapsed_s, 3)
        loss = float(f"{2.3 * math.exp(-3 * share) + 0.1 * draw.random():.7g}")
        accuracy = float(f"{min(1.0, 0.1 + 0.85 * share + 0.05 * draw.random()):.7g}")
        values: dict[str, float | None] = {"train/loss": loss, "train/accuracy": accuracy}
        waiting.append(ev.MetricsLogged(step=step, steps=1, elapsed_s=elapsed_s, lr=0.1, values=values))
        least_s = 0.0 if sort is Sort.ALONE else max(FLUSH_S, elapsed_s / ROWS_WHEN_OLD)
        if elapsed_s - handed_on_s < least_s - 1e-6 and step % 1000 and step < count:
            continue
        yield from (replace(row, at=at) for row in waiting)
        waiting, handed_on_s = [], elapsed_s
        if elapsed_s - beat_s >= HEARTBEAT_EVERY_S:
            beat_s = elapsed_s
            yield ev.Heartbeat(step=step, at=at, memory_bytes=400_000_000 + step, cpu_percent=99.5)
        if step % 1000 == 0:
            held_out: dict[str, float | None] = {"val/loss": loss, "val/accuracy": accuracy}
            yield ev.EpochEnded(step=step, at=at, epoch=epoch, elapsed_s=elapsed_s)
            yield ev.Evaluated(step=step, at=at, epoch=epoch, elapsed_s=elapsed_s, values=held_out)


def _in_process(what: str, folder: RunFolder, count: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.growth", "--in-process", what, str(folder.path), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _open(folder: RunFolder, count: int) -> dict[str, float]:
    """Seconds until all of a log is known that is read beside the running application."""

    async def measure(read: Callable[[], Awaitable[None]]) -> float:
        began_s = time.perf_counter()
        await read()
        return time.perf_counter() - began_s

    return _beside_application(folder, count, measure)


def _wait(folder: RunFolder, count: int) -> dict[str, float]:
    """The longest that a key would wait while a log is read beside the running application."""

    async def measure(read: Callable[[], Awaitable[None]]) -> float:
        turns = _Turns()
        watching = asyncio.create_task(turns.watch())
        await asyncio.sleep(0)  # it waits from the beginning
        await read()
        await asyncio.sleep(0.01)  # its last turn counts as well
        watching.cancel()
        return turns.longest_s

    return _beside_application(folder, count, measure)


def _beside_application(
    folder: RunFolder, count: int, measure: Callable[[Callable[[], Awaitable[None]]], Awaitable[float]]
) -> dict[str, float]:
    import tui.screens.run  # noqa: F401 - as an application has that is open for a moment
    from tui.app import make_app, tame_garbage_collection
    from tui.run_follower import RunFollower

    async def in_application() -> dict[str, float]:
        async with make_app(folder.path.parent, Path("data"), warm=False).run_test(size=SIZE) as pilot:
            await pilot.pause(0.5)
            tame_garbage_collection()  # as an application does that has a terminal
            follower = RunFollower(folder)

            async def read() -> None:
                while not follower.is_caught_up:
                    await follower.poll()

            seconds = await measure(read)
            assert len(follower.state.series["train/loss"]) == count
            return {"seconds": seconds}

    return asyncio.run(in_application())


class _Turns:
    """How long a key would have to wait for its turn."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def watch(self) -> None:
        """Come back again and again, until cancelled."""
        while True:
            asked_s = time.perf_counter()
            await asyncio.sleep(0.001)
            self.longest_s = max(self.longest_s, time.perf_counter() - asked_s - 0.001)


def _show(folder: RunFolder, count: int) -> dict[str, float]:
    """Open a run's screen; the memory of the process before, and with all of the run on it."""
    from tui.app import make_app
    from tui.screens.run import RunScreen

    async def measure() -> dict[str, float]:
        app = make_app(folder.path.parent, Path("data"), warm=False)
        async with app.run_test(size=SIZE) as pilot:
            await pilot.pause(0.5)
            before, screen = resident_bytes(), RunScreen(folder)
            await app.push_screen(screen)
            for _ in range(600):  # a minute at most
                await pilot.pause(0.1)
                if screen.follower.is_caught_up:
                    break
            await pilot.pause(1.0)
            assert len(screen.follower.state.series["train/loss"]) == count
            return {"before_bytes": before, "resident_bytes": resident_bytes()}

    return asyncio.run(measure())


def _redraw(folder: RunFolder, count: int) -> dict[str, float]:
    """Seconds of the thread from a new row to the finished lines of a chart, by what the chart shows."""
    from textual.app import App, ComposeResult

    from tui.run_follower import RunFollower
    from tui.screens.run_charts import ChartSettings, RunCharts
    from tui.screens.run_overlay import Overlay
    from tui.widgets.chart import Chart
    from tui.widgets.palette import palette_of

    class Stage(App[None]):
        def compose(self) -> ComposeResult:
            yield Chart()

    async def measure() -> dict[str, float]:
        follower, other = RunFollower(folder), RunFollower(folder)
        for one in (follower, other):
            while not one.is_caught_up:
                await one.poll()
        overlay_of = Overlay("another", other.state)
        took = {}
        async with Stage().run_test(size=SIZE) as pilot:
            chart = pilot.app.query_one(Chart)
            for way, settings in _WAYS.items():
                charts = RunCharts(follower, ChartSettings(**settings))
                charts.overlay = overlay_of if "overlay" in way else Overlay()
                times = []
                for number in range(60):
                    step = follower.state.step + 1
                    values: dict[str, float | None] = {"train/loss": 0.3 + number / 1000, "train/accuracy": 0.9}
                    row = ev.MetricsLogged(step=step, steps=1, elapsed_s=step * 0.0125, lr=0.1, values=values)
                    began_s = time.thread_time()
                    follower.state.apply(row)
                    chart.offer(*charts.loss(), urgent=True)
                    chart.draw(SIZE[0] // 2 - 2, SIZE[1] // 2, palette_of(pilot.app))
                    times.append(time.thread_time() - began_s)
                took[way] = statistics.median(times[10:])
        return took

    return asyncio.run(measure())


_WAYS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "smoothed": {"smoothing": 0.97},
    "log y": {"log_y": True},
    "by epoch": {"scale": "epochs"},
    "by time": {"scale": "time"},
    "with an overlay, smoothed, log y, by time": {"smoothing": 0.97, "log_y": True, "scale": "time"},
}


# -- a day of logging ----------------------------------------------------------------------------------------------

PRESETS = ("linear-regression", "mnist-mlp", "mnist-cnn")
"""A fast, a middling and a slow one."""
SETTLED_S = 4.0


def _logging(runs: Path, seconds: int) -> Rows:
    from engine.figure_studio import AGE_RATIO  # brings torch

    rows = []
    for name in PRESETS:
        config = load_preset(name).config
        longest = overlay(config.model_dump(mode="json"), {"trainer": {"epochs": 1_000_000, "log_every": 0}})
        folder = create_run(runs, validate(longest), data_dir(), f"day-{name}")
        logged = _in_process("log", folder, max(8, seconds // len(PRESETS)))
        if not logged["steps_per_s"]:  # its data is not here: its log says so
            rows.append([f"a day of {name}: event log", "", "100 MB", "not measured"])
            continue
        rows_bytes = logged["row_bytes"] * _times_a_day(1 / logged["rows_per_s"], ROWS_WHEN_OLD)
        drawings_bytes = logged["drawing_bytes"] * _times_a_day(logged["between_s"], AGE_RATIO)
        megabytes = (logged["other_bytes_per_s"] * DAY_S + rows_bytes + drawings_bytes) / 1e6
        what = f"a day of {name}, {logged['steps_per_s']:,.0f} steps/s, {logged['rows_per_s']:.1f} rows/s"
        rows.append(reached(f"{what}: event log", f"{megabytes:.0f} MB", "100 MB", megabytes <= 100))
    return rows


def _times_a_day(between_s: float, age_ratio: float) -> float:
    """How often something comes in a day that comes after so much time, and later after a share of the age."""
    steady_s = min(DAY_S, age_ratio * between_s)
    return steady_s / between_s + age_ratio * math.log(DAY_S / steady_s)


def _log(folder: RunFolder, seconds: int) -> dict[str, float]:
    """Train for a while; what is logged a second once the run has settled, which it does with its first rows."""
    import engine

    log = folder.path / "events.jsonl"

    async def train() -> dict[str, float]:
        began_s = since_s = math.nan
        first, since_bytes, rows, step, rows_bytes = 0, 0, 0, 0, 0
        drawn_bytes, drawn_at = 0, set[int]()
        async for event in engine.run(folder.config(), folder.path, data_dir()):
            now_s = time.perf_counter()
            began_s = now_s if began_s != began_s and event.step else began_s
            if now_s - began_s < SETTLED_S or began_s != began_s:
                first, since_s, since_bytes = event.step, now_s, log.stat().st_size
                continue
            step = event.step
            if isinstance(event, ev.MetricsLogged):
                rows, rows_bytes = rows + 1, rows_bytes + len(ev.encode(event)) + 1
            if isinstance(event, ev.FigureDrawn):
                drawn_bytes += len(ev.encode(event)) + 1
                drawn_at.add(event.step)
            if now_s - since_s > seconds:
                break
        took_s = time.perf_counter() - since_s
        return {
            "other_bytes_per_s": (log.stat().st_size - since_bytes - drawn_bytes - rows_bytes) / took_s,
            "row_bytes": rows_bytes / max(1, rows),
            "drawing_bytes": drawn_bytes / max(1, len(drawn_at)),
            "between_s": took_s / max(1, len(drawn_at)),
            "steps_per_s": (step - first) / took_s,
            "rows_per_s": rows / took_s,
        }

    return asyncio.run(train())


_CHILDREN: dict[str, Callable[[RunFolder, int], dict[str, float]]] = {
    "open": _open,
    "wait": _wait,
    "show": _show,
    "redraw": _redraw,
    "log": _log,
}

if __name__ == "__main__":
    main()

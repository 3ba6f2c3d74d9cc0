"""Whatever bytes a file holds, its reader says so in its own words, soon, and lives on."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import engine
from engine import commands as cmd
from engine.figures import FigureError, load_figure
from engine.run_folder import RunFolder, RunFolderError
from engine.run_state import RunState
from engine.run_summary import summarize
from engine.text import plain
from presets import PresetError, load_preset
from tests.engine.helpers import make_run
from tests.faults.absurd import events
from tests.faults.drawn import draw_all
from tests.faults.mutations import Watch, damaged
from tests.tui import scripted as s
from tui.errors import CommandError
from tui.train import resolve

Times = Callable[[int, int], int]
Tally = Callable[[str, int], None]
Measured = Callable[[str, float], None]
COMMANDS = [
    *(cmd.Pause(), cmd.Continue(), cmd.Stop(), cmd.SaveCheckpoint(), cmd.SetLearningRate(lr=0.1)),
    *(cmd.ScaleLearningRate(factor=2), cmd.Ask(id="7", text="a fine film")),
]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that really was trained, with checkpoints, pictures and commands."""
    folder = make_run(tmp_path_factory.mktemp("real"), trainer={"epochs": 3, "log_every": 1})

    async def train() -> None:
        async for _ in engine.run(folder.config(), folder.path):
            pass

    asyncio.run(train())
    for command in COMMANDS:
        folder.ask(command)
    return folder


@pytest.fixture
def copy(real: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of it to be damaged."""
    shutil.copytree(real.path, tmp_path / "run", symlinks=True)
    return RunFolder(tmp_path / "run")


def test_events(
    real: RunFolder, copy: RunFolder, times: Times, draw: random.Random, tally: Tally, measured: Measured
) -> None:
    path, watch, read = copy.path / "events.jsonl", Watch(), 0
    lines = (real.path / "events.jsonl").read_bytes().splitlines(keepends=True)
    count = times(700, 40_000)
    for number in range(count):
        part = draw.sample(lines, min(len(lines), draw.choice((1, 2, 8, 30)))) if number % 4 else lines
        data = damaged(b"".join(part), draw, tuple(lines))
        path.write_bytes(data)
        with watch.on(data):
            reader, state = copy.read_history(), RunState()
            state.apply_all(reader.read_all())
            assert all("\n" not in str(damage) for damage in reader.damages)
            if number % 4 == 0:
                summarize(copy)
            if number % 16 == 0:
                draw_all(copy, state)
        read += state.version
    assert read > count  # most of it is still understood
    tally("damaged event logs read, folded and drawn", count)
    measured("slowest damaged file, events", watch.slowest_s)


def test_events_of_absurd_values(copy: RunFolder, times: Times, tally: Tally, measured: Measured) -> None:
    path, watch, count = copy.path / "events.jsonl", Watch(), times(100, 10_000)

    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(events(), max_size=12))
    def check(items: list[bytes]) -> None:
        path.write_bytes(b"".join(item + b"\n" for item in items))

        def look() -> None:
            reader, state = copy.read_history(), RunState()
            state.apply_all(reader.read_all())
            if state.heartbeat is not None:
                state.recall(state.heartbeat)
            told = draw_all(copy, state)
            summarize(copy)
            assert not reader.damages, reader.damages
            assert [line for line in told.split("\n") if plain(line) != line] == []

        watch.run(items, look)

    check()
    tally("logs of absurd events drawn", count)
    measured("slowest log of absurd events", watch.slowest_s)


def test_commands(copy: RunFolder, times: Times, draw: random.Random, tally: Tally, measured: Measured) -> None:
    path, watch = copy.path / "commands.jsonl", Watch()
    whole, count = path.read_bytes(), times(300, 20_000)
    for _ in range(count):
        data = damaged(whole, draw)
        path.write_bytes(data)
        with watch.on(data):
            reader = copy.read_commands()
            assert all(isinstance(command, cmd.Command) for command in reader.read_all())
    tally("damaged commands read", count)
    measured("slowest damaged file, commands", watch.slowest_s)


def test_configurations_and_presets(
    copy: RunFolder, times: Times, draw: random.Random, tally: Tally, measured: Measured
) -> None:
    watch, count, valid = Watch(), times(300, 15_000), 0
    run_config = (copy.path / "config.toml").read_bytes()
    shipped = [path.read_bytes() for path in sorted((Path(engine.__file__).parents[1] / "presets").glob("*.toml"))]
    mine = copy.path / "mine.toml"
    for number in range(count):
        data = damaged(draw.choice((run_config, *shipped)), draw, tuple(shipped))
        mine.write_bytes(data)
        with watch.on(data):
            try:
                match number % 3:
                    case 0:
                        (copy.path / "config.toml").write_bytes(data)
                        copy.config()
                    case 1:
                        load_preset(str(mine))
                    case _:
                        resolve("spiral-relu", mine, {}, None)
                valid += 1
            except (RunFolderError, PresetError, CommandError) as error:
                assert "\n" not in str(error)
                assert len(str(error)) < 20_000
    assert valid
    tally("damaged configurations and presets read", count)
    measured("slowest damaged file, configurations", watch.slowest_s)


def test_figures(
    real: RunFolder, tmp_path: Path, times: Times, draw: random.Random, tally: Tally, measured: Measured
) -> None:
    from engine.figures import save_figure
    from tests.faults.drawn import draw_figure

    makers = (s.regions, s.matrix, s.mistakes, s.weights, s.features, s.samples, s.compare, s.curve, s.metrics)
    figures = [maker() for maker in makers]
    files = [(tmp_path / save_figure(tmp_path, figure)).read_bytes() for figure in figures]
    path, watch, count, loaded = tmp_path / "damaged.npz", Watch(), times(300, 15_000), 0
    for _ in range(count):
        index = draw.randrange(len(files))
        data = damaged(files[index], draw, tuple(files))
        path.write_bytes(data)
        with watch.on(data):
            try:
                load_figure(path)
                loaded += 1
            except FigureError as error:
                assert "\n" not in str(error)
            draw_figure(path, draw.choice(figures).kind)
    tally("damaged pictures read and drawn", count)
    measured("slowest damaged file, pictures", watch.slowest_s)


def test_checkpoints(
    real: RunFolder, tmp_path: Path, times: Times, draw: random.Random, tally: Tally, measured: Measured
) -> None:
    shutil.copytree(real.checkpoints / "last", tmp_path / "real")
    count = times(300, 15_000)
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.checkpoint_fuzzer", tmp_path, str(draw.randrange(2**31)), str(count)],
        capture_output=True,
        text=True,
        cwd=Path(engine.__file__).parents[1],
    )
    assert done.returncode == 0, f"{(tmp_path / 'at').read_text()}: status {done.returncode}\n{done.stderr[-3000:]}"
    told = json.loads(done.stdout)
    assert told["refused"] > count // 4
    tally("damaged checkpoints refused or read", count)
    measured("slowest damaged file, checkpoints", told["slowest_s"])

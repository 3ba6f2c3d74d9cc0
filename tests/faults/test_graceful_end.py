"""SIGTERM, as when a spot machine is taken back, and SIGINT: a checkpoint at once, and a run that goes on from it."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from engine import commands as cmd
from engine import events as ev
from engine.checkpoint import load_checkpoint
from engine.places import data_dir, runs_dir
from engine.run_folder import RunFolder, create_run
from engine.run_summary import status_of
from presets import load_preset
from tests.e2e.processes import events_of, start, wait_for_step, wait_until
from tests.engine.helpers import stop_at
from tests.engine.user_code import write
from tests.faults.curve import state_of
from tui.launcher import HOST

WITHIN_S = 30.0
"""Six times what is promised: a machine that is busy with other tests may take its time."""
CODE = """
import pathlib, time, torch
import engine.batches
from torch import nn

engine.batches.evaluation_rows = lambda inputs, device: 1  # one after the other, of which there are many
HERE = pathlib.Path(__file__).parent

def dwell(place):
    while (HERE / place).exists():
        (HERE / "reached").touch()
        time.sleep(0.05)
        if place == "evaluating":
            return

class Net(nn.Module):
    def __init__(self, input_shape, outputs):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(input_shape[0], 4), nn.Tanh(), nn.Linear(4, outputs))

    def forward(self, x):
        if not self.training and len(x) == 1:
            dwell("evaluating")
        time.sleep(0.002)
        return self.layers(x)

def load(seed):
    dwell("loading")
    x = torch.randn(3000, 2, generator=torch.Generator().manual_seed(seed))
    y = (x.norm(dim=1) > 1).long()
    slow = (HERE / "evaluating").exists()
    return (x[:200], y[:200]), (x[200:], y[200:]) if slow else (x[-10:], y[-10:])
"""
PRESET = """
[data]
kind = "custom"
target = "my_net.py:load"
[model]
kind = "custom"
target = "my_net.py:Net"
[trainer]
epochs = 100000
eval_every = {eval_every}
batch_size = 16
log_every = 1
device = "cpu"
threads = 1
"""


class Engine(NamedTuple):
    """A process that trains, and what it trains."""

    process: subprocess.Popen[str]
    folder: RunFolder
    code: Path
    """Where the network's file lies, and the files that make it dwell somewhere."""


def train(tmp_path: Path, runs: Path, in_host: bool, dwell: str) -> Engine:
    """Begin to train, in a host or in the foreground, with code that dwells in one place."""
    code = tmp_path / "code"
    write(code, CODE)
    preset = write(code, PRESET.format(eval_every=1 if dwell == "evaluating" else 100_000), "my.toml")
    (code / "reached").unlink(missing_ok=True)
    if dwell:
        (code / dwell).touch()
    folder = RunFolder(runs / f"r{len(list(runs.glob('r*'))) if runs.exists() else 0}")
    if in_host:
        create_run(runs, load_preset(str(preset)).config, data_dir(), folder.name)
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
        process = subprocess.Popen([*HOST, str(folder.path)], text=True, start_new_session=True, **pipes)
    else:
        process = start("train", str(preset), "--name", folder.name, "--runs", str(runs), "--json")
    return Engine(process, folder, code)


@pytest.fixture
def ended() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes to be killed with the test, should they still be there."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def try_signals(
    tmp_path: Path,
    ended: list[subprocess.Popen[str]],
    draw: random.Random,
    times: Callable[[int, int], int],
    tally: Callable[[str, int], None],
    measured: Callable[[str, float], None],
) -> Callable[..., None]:
    """Sends signals to engines in some situation, and looks at what they leave: one of four ways, or all four."""

    def run(what: str, reach: Callable[[Engine], object], dwell: str = "", has_begun: bool = True) -> None:
        ways = [(number, in_host) for number in (signal.SIGTERM, signal.SIGINT) for in_host in (False, True)]
        for number, in_host in draw.sample(ways, times(1, len(ways))):
            engine = train(tmp_path, runs_dir(), in_host, dwell)
            ended.append(engine.process)
            reach(engine)
            measured(f"from a signal to the end of an engine {what}", end(engine.process, number))
            expected = 0 if in_host else 128 + number
            assert engine.process.returncode == expected, engine.process.communicate()
            if dwell:
                (engine.code / dwell).unlink()
            assert_stopped_whole(engine.folder, number, has_begun)
            assert_goes_on(engine.folder)
            tally("SIGTERM or SIGINT: checkpoint, exit code, resumed", 1)

    return run


def test_while_it_trains(try_signals: Callable[..., None]) -> None:
    try_signals("that trains", lambda engine: wait_for_step(engine.folder.path, 20))


def test_while_it_is_paused(try_signals: Callable[..., None]) -> None:
    def pause(engine: Engine) -> None:
        wait_for_step(engine.folder.path, 20)
        engine.folder.ask(cmd.Pause())
        wait_until(lambda: state_of(engine.folder).paused, "the pause")

    try_signals("that is paused", pause)


def test_while_data_is_loaded(try_signals: Callable[..., None]) -> None:
    try_signals("that loads its data", wait_until_reached, dwell="loading", has_begun=False)


def test_within_a_long_evaluation(try_signals: Callable[..., None]) -> None:
    try_signals("within an evaluation", wait_until_reached, dwell="evaluating")


def test_with_a_full_disk(
    tmp_path: Path, ended: list[subprocess.Popen[str]], times: Callable[[int, int], int], draw: random.Random
) -> None:
    """There is no room for a checkpoint: the one before stays, and the run says what to do."""
    with small_disk(tmp_path / "disk") as disk:
        ways = [(number, in_host) for number in (signal.SIGTERM, signal.SIGINT) for in_host in (False, True)]
        for number, in_host in draw.sample(ways, times(1, len(ways))):
            engine = train(tmp_path, disk / "runs", in_host, "")
            ended.append(engine.process)
            wait_for_step(engine.folder.path, 20)
            engine.folder.ask(cmd.Pause())
            wait_until(lambda folder=engine.folder: state_of(folder).paused, "the pause")
            paused = state_of(engine.folder)
            fill(disk)
            end(engine.process, number)
            assert engine.process.returncode == 1, engine.process.communicate()
            ending = state_of(engine.folder).ending
            assert isinstance(ending, ev.RunFailed) and "No space left on device" in ending.error, ending
            assert "free" in ending.cure and "\n" not in ending.error + ending.cure
            assert load_checkpoint(engine.folder.checkpoints / "last").step == paused.step
            (disk / "full").unlink()
            assert_goes_on(engine.folder)


# -- what is looked at ---------------------------------------------------------------------------------------------


def end(process: subprocess.Popen[str], number: signal.Signals) -> float:
    """Send the signal; returns the seconds until the process is gone."""
    began_s = time.monotonic()
    process.send_signal(number)
    process.wait(timeout=WITHIN_S)
    return time.monotonic() - began_s


def wait_until_reached(engine: Engine) -> None:
    """Until the engine dwells where it was told to."""
    wait_until((engine.code / "reached").exists, "the place where the engine dwells")


def assert_stopped_whole(folder: RunFolder, number: signal.Signals, has_begun: bool) -> None:
    """The run says that it was stopped, and by what; its checkpoint is of that very step, and whole."""
    state = state_of(folder)
    assert isinstance(state.ending, ev.RunStopped), state.ending
    assert state.ending.reason == number.name
    assert status_of(folder, state) == "stopped"
    names = sorted(path.name for path in folder.checkpoints.iterdir())
    if has_begun:
        assert load_checkpoint(folder.checkpoints / "last").step == state.ending.step > 0
        assert "last" in names and not (folder.checkpoints / "last").is_file()
    else:
        assert names == [], "nothing half-made"
    assert not (folder.path / ".reserve").exists()


def assert_goes_on(folder: RunFolder) -> None:
    """Resumed, it starts where its last checkpoint is, and gets further."""
    last = folder.checkpoints / "last"
    step = load_checkpoint(last).step if last.exists() else 0
    asyncio.run(stop_at(folder, step + 5))
    events = events_of(folder.path)
    assert [event.step for event in events if isinstance(event, ev.RunStarted)][-1] == step
    assert state_of(folder).step > step


@contextmanager
def small_disk(path: Path) -> Iterator[Path]:
    """A disk of a few megabytes, mounted for as long as the block lasts; skipped where nobody may mount one."""
    path.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=4m", "dltui-test", str(path)]
    if shutil.which("mount") is None or subprocess.run(argv, capture_output=True, timeout=60).returncode:
        pytest.skip("a small disk (tmpfs) can't be mounted here")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True, capture_output=True, timeout=60)


def fill(disk: Path) -> None:
    """Leave not a byte."""
    with (disk / "full").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(os.urandom(1 << 12)):
            pass

"""Control that can be trusted: done between two steps, acknowledged, on the curve, and the same when replayed."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from engine import commands as cmd
from engine import events as ev
from engine.checkpoint import load_checkpoint
from engine.due import Due
from engine.replay import replay
from engine.run_folder import RunFolder, RunFolderError, create_run
from engine.run_state import RunState
from engine.session import Session
from tests.engine.helpers import collect, last_weights, make_run, recorded, same_bits
from tests.faults.curve import assert_every_step_once
from tests.faults.systems import SYSTEMS, build
from tests.faults.test_numbers_hurt import told
from tui.run_follower import RunFollower
from tui.widgets.run_curves import run_marks

Tally = Callable[[str, int], None]

GARBAGE = [
    b"nonsense",
    b'{"command":"Explode"}',
    b'{"command":"SetLearningRate","lr":-1}',
    b'{"command":"SetLearningRate","lr":"much"}',
    b'{"command":"Pause"',
    b"\xff\xfe\x00",
    b"[" * 10_000,
    b'{"command":"Ask","id":"","text":"x"}',
]


async def steer(folder: RunFolder, script: list[Due]) -> None:
    """Train with commands at given steps."""
    async for _ in Session(folder, script).events():
        pass


async def test_every_command_is_acknowledged_at_its_step_and_on_the_curve(tmp_path: Path, tally: Tally) -> None:
    folder = make_run(tmp_path, optimizer={"kind": "sgd", "lr": 0.1}, trainer={"epochs": 12})
    script = [
        Due(5, cmd.SetLearningRate(lr=0.05)),
        Due(11, cmd.SaveCheckpoint()),
        Due(17, cmd.ScaleLearningRate(factor=0.5)),
        Due(24, cmd.Pause()),
        Due(40, cmd.Stop()),
    ]
    session = Session(folder, script)
    async for event in session.events():
        if isinstance(event, ev.RunPaused):
            folder.ask(cmd.Continue())
    kinds = (ev.LearningRateChanged, ev.RunPaused, ev.RunContinued, ev.RunStopped)
    acknowledged = [(type(event), event.step) for event in recorded(folder) if isinstance(event, kinds)]
    changed = ev.LearningRateChanged
    assert acknowledged == [(changed, 5), (changed, 17), (ev.RunPaused, 24), (ev.RunContinued, 24), (ev.RunStopped, 40)]
    assert [event.step for event in told(folder, ev.CheckpointSaved) if event.reason == "asked"] == [11]
    assert (folder.checkpoints / "step-11").is_dir()
    rates = {event.step: event.lr / event_factor(event.step) for event in told(folder, ev.MetricsLogged)}
    assert all(rates[step] == pytest.approx(0.1) for step in rates if step <= 5)
    assert all(rates[step] == pytest.approx(0.05) for step in rates if 5 < step <= 17)
    assert all(rates[step] == pytest.approx(0.025) for step in rates if step > 17)
    assert assert_every_step_once(recorded(folder)) == 40
    follower = RunFollower(folder)
    while not follower.is_caught_up:
        await follower.poll()
    marks = [(mark.x, mark.label) for mark in run_marks(follower.state, "steps")]
    assert marks == [(5, "lr 0.05"), (11, "kept"), (17, "lr 0.025"), (24, "paused, continued"), (40, "stopped")]
    tally("commands acknowledged, on the curve, at their step", 6)


def event_factor(step: int) -> float:
    """What the cosine schedule of this run makes of the rate for the step that ends at `step`."""
    from engine.schedules import lr_factor
    from tests.engine.helpers import config

    return lr_factor(config(trainer={"epochs": 12}).schedule, step - 1, 8, 12)


async def test_garbage_among_commands_is_answered_and_skipped(
    tmp_path: Path, times: Callable[[int, int], int], draw: random.Random, tally: Tally
) -> None:
    count = times(20, 2000)
    folder = make_run(tmp_path, trainer={"epochs": 1_000_000, "log_every": 1000})
    lines = [draw.choice(GARBAGE) for _ in range(count)]
    sent = False
    async for event in Session(folder).events():
        if not sent and isinstance(event, (ev.MetricsLogged, ev.Heartbeat)):
            with (folder.path / "commands.jsonl").open("ab") as file:
                file.write(b"\n".join([*lines, cmd.encode(cmd.SaveCheckpoint()), cmd.encode(cmd.Stop()), b""]))
            sent = True
    refused = [event for event in told(folder, ev.CommandRejected) if event.command == "unreadable"]
    assert len(refused) == min(count, 1000), "each is answered, up to a bound that keeps a log from filling"
    assert all("commands.jsonl, line " in event.reason for event in refused)
    assert [event.reason for event in told(folder, ev.CheckpointSaved)] == ["asked", "end"]
    tally("garbage commands answered and skipped", count)


def test_runs_are_replayed_with_their_commands_to_the_same_bits(
    tmp_path: Path, times: Callable[[int, int], int], draw: random.Random, tally: Tally
) -> None:
    names = draw.sample(sorted(SYSTEMS), len(SYSTEMS))
    for number in range(times(4, 10 * len(names))):
        run_config = build(names[number % len(names)], number, draw, tmp_path / f"{number}")
        folder = create_run(tmp_path / f"{number}" / "runs", run_config, tmp_path)
        lr = run_config.optimizer.lr
        script = [
            Due(step, cmd.SetLearningRate(lr=draw.uniform(0.5, 1.0) * lr)) for step in sorted(draw.sample(range(30), 3))
        ]
        stops = draw.random() < 0.5
        asyncio.run(steer(folder, [*script, *([Due(30, cmd.Stop())] if stops else [])]))
        if stops:  # and it goes on in another life
            asyncio.run(steer(folder, [Due(35, cmd.SetLearningRate(lr=lr / 3))]))
        found = replay(folder, tmp_path / f"{number}" / "runs")
        assert found is not None
        assert found.is_same, f"{found.different} of {found.tensors} tensors differ, by {found.largest_difference}"
        assert found.step == load_checkpoint(folder.checkpoints / "last").step
        assert assert_every_step_once(recorded(found.replay)) == found.step
        tally("replayed with its commands: same bits", 1)


def test_a_replay_sees_that_weights_are_others(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    asyncio.run(steer(folder, [Due(9, cmd.SetLearningRate(lr=0.05))]))
    log = folder.path / "events.jsonl"
    lines = [line for line in log.read_bytes().splitlines(keepends=True) if b"LearningRateChanged" not in line]
    log.write_bytes(b"".join(lines))
    found = replay(folder, tmp_path)
    assert found is not None
    assert not found.is_same
    assert found.different
    assert 0 < found.largest_difference < float("inf")


def test_what_has_not_begun_or_has_no_checkpoint_is_not_replayed(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    with pytest.raises(RunFolderError, match="has no checkpoint yet"):
        replay(folder, tmp_path)
    assert [path.name for path in tmp_path.iterdir() if "replay" in path.name] == []


async def test_a_resume_takes_a_rate_with_it_and_what_was_asked_before_stays_unheard(tmp_path: Path) -> None:
    folder = make_run(tmp_path, trainer={"epochs": 20})
    await steer(folder, [Due(30, cmd.Stop())])
    folder.ask(cmd.Stop())  # of an engine that is gone
    folder.ask_to_resume(lr=0.002)
    await collect(folder.config(), folder)
    assert isinstance(recorded(folder)[-1], ev.RunFinished)
    (change,) = told(folder, ev.LearningRateChanged)
    assert (change.step, change.new) == (30, 0.002)


async def test_what_was_asked_of_one_engine_is_not_done_by_the_one_after_it(tmp_path: Path) -> None:
    folder = make_run(tmp_path, trainer={"epochs": 40})
    folder.ask_to_resume(lr=0.002)
    await steer(folder, [Due(30, cmd.Stop())])
    await collect(folder.config(), folder)  # without a word of resuming, as a library may
    assert len(told(folder, ev.LearningRateChanged)) == 1


async def test_a_rate_that_was_acknowledged_before_a_crash_is_set_again_at_the_same_step(tmp_path: Path) -> None:
    lived, died = make_run(tmp_path / "lived"), make_run(tmp_path / "died")
    await steer(lived, [Due(20, cmd.SetLearningRate(lr=0.001))])
    await steer(died, [Due(10, cmd.SaveCheckpoint()), Due(20, cmd.SetLearningRate(lr=0.001)), Due(26, cmd.Stop())])
    forget_what_followed_the_checkpoint(died)
    await collect(died.config(), died)
    assert [event.step for event in told(died, ev.RunStarted)] == [0, 10]
    assert same_bits(last_weights(lived), last_weights(died))
    state = RunState()
    state.apply_all(recorded(died))
    assert state.base_lr == 0.001
    assert assert_every_step_once(recorded(died)) == 48


def forget_what_followed_the_checkpoint(folder: RunFolder) -> None:
    """As a crash leaves it: the last checkpoint is that of step 10, and the log tells of more."""
    (folder.checkpoints / "last").unlink()
    (folder.checkpoints / "last").symlink_to("step-10")
    log = folder.path / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(line for line in lines if json.loads(line)["event"] != "RunStopped"))


async def test_a_rate_set_after_a_crash_overrules_those_of_before(tmp_path: Path) -> None:
    lived, died = make_run(tmp_path / "lived"), make_run(tmp_path / "died")
    await steer(lived, [Due(12, cmd.SetLearningRate(lr=0.004))])
    await steer(died, [Due(10, cmd.SaveCheckpoint()), Due(20, cmd.SetLearningRate(lr=0.001)), Due(26, cmd.Stop())])
    forget_what_followed_the_checkpoint(died)
    await steer(died, [Due(12, cmd.SetLearningRate(lr=0.004))])
    assert same_bits(last_weights(lived), last_weights(died))
    assert replay_in_thread(died, tmp_path).is_same


def replay_in_thread(folder: RunFolder, runs: Path) -> Any:
    """A replay has a loop of its own, and signals reach the main thread only."""
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as pool:
        patch.setattr("engine.console._Signals", lambda session: type("NoSignals", (), {"received": ""})())
        return pool.submit(replay, folder, runs).result()

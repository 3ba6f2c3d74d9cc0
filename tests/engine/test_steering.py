"""Commands are obeyed between steps, and answered by events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import engine
from engine import commands as cmd
from engine import events as ev
from engine.checkpoint import load_checkpoint
from engine.run_folder import RunFolder
from tests.engine.helpers import make_run, recorded

PATIENCE_S = 30


class Steered:
    """A run that goes on while a test asks things of it."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.events: list[ev.AnyEvent] = []
        self._stream: AsyncIterator[ev.AnyEvent] = engine.run(folder.config(), folder.path)

    async def until(self, kind: type[ev.AnyEvent]) -> ev.AnyEvent:
        """The next event of a kind."""
        async with asyncio.timeout(PATIENCE_S):
            async for event in self._stream:
                self.events.append(event)
                if isinstance(event, kind):
                    return event
        raise AssertionError(f"the run ended without {kind.__name__}")

    async def close(self) -> None:
        await self._stream.aclose()  # type: ignore[attr-defined]


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Steered]:
    steered = Steered(make_run(tmp_path, trainer={"epochs": 1_000_000, "log_every": 50}))
    await steered.until(ev.MetricsLogged)
    yield steered
    await steered.close()


async def test_a_pause_holds_the_step_until_continue(run: Steered) -> None:
    run.folder.ask(cmd.Pause())
    paused = await run.until(ev.RunPaused)
    before = len(run.events)
    await asyncio.sleep(0.3)
    run.folder.ask(cmd.Continue())
    continued = await run.until(ev.RunContinued)
    assert continued.step == paused.step
    assert not [event for event in run.events[before:] if isinstance(event, ev.MetricsLogged)]
    row = await run.until(ev.MetricsLogged)
    assert row.step > paused.step


async def test_a_pause_does_not_count_as_training_time(run: Steered) -> None:
    run.folder.ask(cmd.Pause())
    await run.until(ev.RunPaused)
    rows = [event for event in run.events if isinstance(event, ev.MetricsLogged)]
    await asyncio.sleep(1.0)
    run.folder.ask(cmd.Continue())
    row = await run.until(ev.MetricsLogged)
    assert isinstance(row, ev.MetricsLogged)
    assert row.elapsed_s - rows[-1].elapsed_s < 0.9


async def test_a_pause_saves_a_checkpoint_of_its_step(run: Steered) -> None:
    run.folder.ask(cmd.Pause())
    paused = await run.until(ev.RunPaused)
    assert load_checkpoint(run.folder.checkpoints / "last").step == paused.step


async def test_the_learning_rate_changes_while_the_run_goes_on(run: Steered) -> None:
    run.folder.ask(cmd.SetLearningRate(lr=0.004))
    changed = await run.until(ev.LearningRateChanged)
    assert isinstance(changed, ev.LearningRateChanged)
    assert (changed.old, changed.new) == (0.01, 0.004)
    await run.until(ev.MetricsLogged)
    row = await run.until(ev.MetricsLogged)
    assert isinstance(row, ev.MetricsLogged)
    assert row.lr == pytest.approx(0.004, rel=0.01), "a cosine over a million epochs is still at its top"


async def test_two_quick_presses_are_two_steps_of_the_learning_rate(run: Steered) -> None:
    for _ in range(2):
        run.folder.ask(cmd.ScaleLearningRate(factor=10**0.1))
    await run.until(ev.LearningRateChanged)
    changed = await run.until(ev.LearningRateChanged)
    assert isinstance(changed, ev.LearningRateChanged)
    assert changed.new == pytest.approx(0.01 * 10**0.2, rel=1e-4)


async def test_a_checkpoint_that_was_asked_for_is_kept(run: Steered) -> None:
    run.folder.ask(cmd.SaveCheckpoint())
    saved = await run.until(ev.CheckpointSaved)
    assert isinstance(saved, ev.CheckpointSaved)
    assert (saved.reason, saved.folder) == ("asked", f"checkpoints/step-{saved.step}")
    assert load_checkpoint(run.folder.path / saved.folder).step == saved.step


async def test_a_stop_ends_the_run_with_a_checkpoint(run: Steered) -> None:
    run.folder.ask(cmd.Stop())
    stopped = await run.until(ev.RunStopped)
    assert isinstance(stopped, ev.RunStopped)
    assert stopped.reason == "asked"
    assert load_checkpoint(run.folder.checkpoints / "last").step == stopped.step


async def test_a_stop_works_while_paused(run: Steered) -> None:
    run.folder.ask(cmd.Pause())
    await run.until(ev.RunPaused)
    run.folder.ask(cmd.Stop())
    await run.until(ev.RunStopped)


async def test_what_makes_no_sense_is_answered(run: Steered) -> None:
    run.folder.ask(cmd.Continue())
    rejected = await run.until(ev.CommandRejected)
    assert isinstance(rejected, ev.CommandRejected)
    assert rejected.reason == "the run is not paused"


@pytest.mark.parametrize(
    "line", [b"{", b"[]", b'{"command":"Fly"}', b'{"command":"SetLearningRate","lr":-1}', b"\xff\x00"]
)
async def test_garbage_is_answered_and_skipped(run: Steered, line: bytes) -> None:
    with (run.folder.path / "commands.jsonl").open("ab") as file:
        file.write(line + b"\n")
    rejected = await run.until(ev.CommandRejected)
    assert isinstance(rejected, ev.CommandRejected)
    assert "commands.jsonl, line 1" in rejected.reason
    run.folder.ask(cmd.Stop())
    await run.until(ev.RunStopped)
    assert isinstance(recorded(run.folder)[-1], ev.RunStopped)

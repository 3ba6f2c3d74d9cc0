"""Small runs for the engine's tests."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import torch

import engine
from engine.channel import EventChannel
from engine.checkpoint import load_checkpoint
from engine.commands import Stop
from engine.events import AnyEvent, MetricsLogged
from engine.run_folder import RunFolder, create_run
from engine.schema import RunConfig, overlay, validate
from engine.session import Session

SPIRAL: dict[str, Any] = {
    "preset": "spiral",
    "task": {"kind": "classification"},
    "data": {"kind": "spiral", "points": 40},
    "model": {"kind": "mlp", "hidden": [8], "dropout": 0.1},
    "optimizer": {"kind": "adam", "lr": 0.01},
    "schedule": {"kind": "cosine"},
    "trainer": {"epochs": 6, "batch_size": 16, "log_every": 2, "device": "cpu", "threads": 1},
}


def config(**over: Any) -> RunConfig:
    """The small spiral run, with sections laid over it: `config(trainer={"epochs": 2})`."""
    return validate(overlay(SPIRAL, over))


def make_run(folder: Path, **over: Any) -> RunFolder:
    """A fresh run folder below `folder`."""
    return create_run(folder, config(**over), folder / "data")


async def collect(run_config: RunConfig, folder: RunFolder | None = None) -> list[AnyEvent]:
    """All events of a run."""
    return [event async for event in engine.run(run_config, folder.path if folder else None)]


def last_weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    """Weights of the run's last checkpoint."""
    return load_checkpoint(folder.checkpoints / "last").weights


def recorded(folder: RunFolder) -> list[AnyEvent]:
    """All events in the run's log."""
    reader = folder.read_events()
    events = list(reader.read_all())
    assert not reader.damages
    return events


async def stop_at(folder: RunFolder, step: int) -> None:
    """Train until there is a row of `step` or later, then stop: asked in the training thread, it comes in time."""
    session, publish = Session(folder), EventChannel.publish

    def stop_in_time(channel: EventChannel, *events: AnyEvent) -> None:
        publish(channel, *events)
        if any(isinstance(event, MetricsLogged) and event.step >= step for event in events):
            session.request(Stop())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EventChannel, "publish", stop_in_time)
        async for _ in session.events():
            await asyncio.sleep(0)


def same_bits(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Whether two models have the same weights."""
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)

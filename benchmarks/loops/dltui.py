"""dltui as `dltui train` runs it, without a screen: its worker thread, log, evaluations, figures and checkpoints."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import engine
from benchmarks.loops import Trained
from benchmarks.systems import System
from engine import events as ev
from engine.checkpoint import load_checkpoint
from engine.run_folder import create_run


def train(system: System) -> Trained:
    """All epochs. Nothing is left out of the time: neither warm-up nor evaluations nor the last checkpoint."""
    with tempfile.TemporaryDirectory() as runs:
        folder = create_run(Path(runs), system.config, system.data_folder)
        finished = asyncio.run(_run(system, folder.path))
        weights = load_checkpoint(folder.checkpoints / "last")
    model = system.model()
    weights.load_into({"model": model})
    return Trained(finished.step, finished.step / finished.elapsed_s, model)


async def _run(system: System, folder: Path) -> ev.RunFinished:
    async for event in engine.run(system.config, folder):
        if isinstance(event, ev.RunFailed):
            raise RuntimeError(event.error)
        if isinstance(event, ev.RunFinished):
            return event
    raise RuntimeError("the run did not finish")

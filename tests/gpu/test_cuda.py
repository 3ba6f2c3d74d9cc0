"""What only a CUDA device can show. Run with `pytest tests/gpu` on a box that has one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from engine import events as ev
from engine.batches import Batches
from engine.data import load_data
from engine.run_state import RunState
from engine.tasks import build_task
from presets import load_preset
from tests.engine.helpers import collect, config, make_run
from tests.engine.test_resume import stop_at

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

ON_CUDA: dict[str, Any] = {"trainer": {"device": "cuda", "epochs": 20}}


async def test_auto_takes_the_gpu_and_says_so() -> None:
    events = await collect(config(trainer={"device": "auto"}))
    started = next(event for event in events if isinstance(event, ev.RunStarted))
    assert started.device == "cuda:0"
    assert isinstance(events[-1], ev.RunFinished)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
async def test_spiral_relu_reaches_its_outcome(precision: str) -> None:
    preset = load_preset("spiral-relu").config
    trainer = preset.trainer.model_copy(update={"device": "cuda", "precision": precision})
    state = RunState()
    state.apply_all(await collect(preset.model_copy(update={"trainer": trainer})))
    assert (state.latest["train/accuracy"] or 0) >= 0.93


async def test_a_run_can_be_stopped_and_resumed(tmp_path: Path) -> None:
    folder = make_run(tmp_path, **ON_CUDA)
    await stop_at(folder, 9)
    events = await collect(folder.config(), folder)
    assert isinstance(events[-1], ev.RunFinished)
    assert events[-1].step == 20 * 8


@pytest.mark.parametrize("name", ["spiral-relu", "linear-regression-synthetic", "xor", "linear-regression-scratch"])
def test_a_step_does_not_wait_for_the_device(name: str, tmp_path: Path) -> None:
    preset, device = load_preset(name).config, torch.device("cuda")
    data = load_data(preset.data, 0, tmp_path).to(device)
    task = build_task(preset, data, device)
    task.set_lr(preset.optimizer.lr)
    batches = list(Batches(data, preset.trainer.batch_size, 0, shuffle=True).epoch(0))
    task.train_step(*batches[0])
    torch.cuda.set_sync_debug_mode("error")
    try:
        for inputs, targets in batches:
            task.train_step(inputs, targets)
    finally:
        torch.cuda.set_sync_debug_mode("default")


async def test_heartbeats_tell_the_gpu_memory() -> None:
    events = await collect(config(trainer={"device": "cuda", "epochs": 400}))
    beats = [event for event in events if isinstance(event, ev.Heartbeat)]
    assert beats
    assert beats[-1].gpu_memory_bytes > 0

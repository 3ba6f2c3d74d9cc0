"""What the GPU benchmark compares trains, here on a CPU."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gpu
from benchmarks.hand_steps import make_step

SYSTEMS = {
    "spiral-relu": {},
    "digits-mlp": {"trainer": {"clip_norm": 1.0, "precision": "bf16"}},
    "linear-regression-synthetic": {},
    "mnist-cnn": {"data": {"kind": "digits"}, "model": {"kind": "cnn", "kernel": 3, "padding": "same"}},
    "dcgan": {"data": {"kind": "digits"}, "model": {"kind": "dcgan", "ngf": 4, "ndf": 4}},
}


def workload(preset: str, over: dict[str, Any], epochs: int) -> gpu.Workload:
    return gpu.Workload(gpu.System(preset, epochs, over), "cpu", Path())


@pytest.mark.parametrize("preset", SYSTEMS)
def test_a_step_by_hand_learns(preset: str) -> None:
    work = workload(preset, SYSTEMS[preset], 1)
    step, module = make_step(work.config, work.data, work.device)
    batch = next(iter(work.batches.epoch(0)))
    losses = [step(*batch).item() for _ in range(30)]
    assert losses[-1] < losses[0]
    assert all(bool(parameter.isfinite().all()) for parameter in module.parameters())


def test_a_bare_loop_and_dltui_are_timed(tmp_path: Path) -> None:
    work = workload("spiral-relu", {}, 200)
    assert gpu.hand_written(work, None) > 0
    assert gpu.dltui(work, with_screen=False) > 0


def test_a_run_that_fails_is_told_of() -> None:
    work = workload("spiral-relu", {}, 200)
    work.config.data.__dict__["points"] = 0
    with pytest.raises(RuntimeError, match=r"spiral-relu did not finish: .*points"):
        gpu.dltui(work, with_screen=False)


COMPLAINER = """
import sys, time
if "attach" in sys.argv:
    time.sleep(60)
sys.stderr.write("much ado\\n" * 100_000 + "the last word\\n")
sys.exit(1)
"""


def test_a_run_may_say_more_than_a_pipe_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "DLTUI", (sys.executable, "-c", COMPLAINER))
    with pytest.raises(RuntimeError, match=r"did not finish: (?s:.*)the last word"):
        gpu.dltui(workload("spiral-relu", {}, 200), with_screen=True)

"""What the GPU benchmark compares trains, here on a CPU."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gpu, gpu_loops
from benchmarks.hand_steps import make_step
from engine import events as ev

SYSTEMS = {
    "spiral-relu": {},
    "digits-mlp": {"trainer": {"clip_norm": 1.0, "precision": "bf16"}},
    "linear-regression-synthetic": {},
    "mnist-cnn": {"data": {"kind": "digits"}, "model": {"kind": "cnn", "kernel": 3, "padding": "same"}},
    "dcgan": {"data": {"kind": "digits"}, "model": {"kind": "dcgan", "ngf": 4, "ndf": 4}},
}


def workload(preset: str, over: dict[str, Any]) -> gpu.Workload:
    return gpu.Workload(gpu.System(preset, over), "cpu", Path())


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_loops, "HAND_S", 0.2)
    monkeypatch.setattr(gpu_loops, "RUN_S", 0.5)


@pytest.mark.parametrize("preset", SYSTEMS)
def test_a_step_by_hand_learns(preset: str) -> None:
    work = workload(preset, SYSTEMS[preset])
    step, module = make_step(work.config, work.data, work.device)
    batch = next(iter(work.batches.epoch(0)))
    losses = [step(*batch).item() for _ in range(30)]
    assert losses[-1] < losses[0]
    assert all(bool(parameter.isfinite().all()) for parameter in module.parameters())


def test_a_bare_loop_is_timed_and_dltui_for_as_long_as_it_says() -> None:
    work = workload("spiral-relu", {})
    assert gpu_loops.eager(work) == work.fastest > 0
    assert gpu_loops.dltui(work, with_screen=False, settled_s=0.0) > 0
    with pytest.raises(RuntimeError, match=r"spiral-relu was over in [0-9.]+ s, before it had settled"):
        gpu_loops.dltui(work, with_screen=False, settled_s=60.0)


def test_a_run_is_measured_from_an_evaluation_on_if_one_is_left() -> None:
    def row(step: int) -> ev.MetricsLogged:
        return ev.MetricsLogged(step=step, elapsed_s=step / 10, values={}, lr=0.1, steps=1)

    evaluated = ev.EpochEnded(step=30, epoch=1, elapsed_s=3.0)
    end = ev.EpochEnded(step=40, epoch=2, elapsed_s=4.0)
    assert gpu_loops._settled([row(10), row(25), evaluated, row(35), end], 2.0, 40) is evaluated
    assert gpu_loops._settled([row(10), row(25), end], 2.0, 40) == row(25)
    assert gpu_loops._settled([row(10), end], 2.0, 40) is None


def test_a_run_that_fails_is_told_of() -> None:
    work = workload("spiral-relu", {})
    work.config.data.__dict__["points"] = 0
    with pytest.raises(RuntimeError, match=r"spiral-relu did not finish: .*points"):
        gpu_loops.dltui(work, with_screen=False)


COMPLAINER = """
import sys, time
if "attach" in sys.argv:
    time.sleep(60)
sys.stderr.write("much ado\\n" * 100_000 + "the last word\\n")
sys.exit(1)
"""


def test_a_run_may_say_more_than_a_pipe_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_loops, "DLTUI", (sys.executable, "-c", COMPLAINER))
    with pytest.raises(RuntimeError, match=r"did not finish: (?s:.*)the last word"):
        gpu_loops.dltui(workload("spiral-relu", {}), with_screen=True)


def test_what_one_loop_lacks_costs_the_others_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(work: gpu.Workload) -> float:
        raise OSError("no terminal\nmore of it")

    monkeypatch.setattr(gpu, "eager", lambda work: 100.0)
    monkeypatch.setattr(gpu, "lightning", broken)
    monkeypatch.setattr(gpu, "dltui", lambda work, with_screen: 90.0 if with_screen else 150.0)
    found = gpu.measure(workload("spiral-relu", {}), 3)
    assert found.cells == ["spiral-relu", "100", "", "", "1.50", "", "0.60"]
    assert found.failures == {"Lightning": "no terminal"}


def test_rows_of_several_goes_make_one_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tables: list[tuple[list[list[str]], str]] = []
    monkeypatch.setattr(gpu, "keep", lambda section, title, notes, columns, rows, where: tables.append((rows, where)))
    monkeypatch.setattr(gpu, "measure", lambda work, repeats: gpu.Measured([work.name, "1"], "a GPU; today.", {}))
    for only in (["spiral-relu"], ["mnist-cnn"], []):
        monkeypatch.setattr(
            sys,
            "argv",
            ["gpu", "--device", "cpu", "--data", str(tmp_path), "--rows", str(tmp_path / "rows"), "--only", *only],
        )
        gpu.main()
    rows, where = tables[-1]
    assert rows[0] == ["spiral-relu", "1"]
    assert rows[1][:2] == ["mnist-cnn", rows[1][1]]
    assert rows[1][1].startswith("not measured: ")  # its data is not there
    assert where.startswith("a GPU; today.")
    assert len(tables) == 3

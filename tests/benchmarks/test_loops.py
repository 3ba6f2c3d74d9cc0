"""The loops that are compared: each trains, and all do the same work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.loops import Loop, NotInstalledError, find_loop
from benchmarks.systems import Batches, Clock, System, load_system
from benchmarks.throughput import PEERS

LOOPS = ["bare", "bare.train_on_one_batch", "tutorial", "dltui", *PEERS.values()]


def tiny(preset: str, data_folder: Path, **trainer: Any) -> System:
    settings = {"device": "cpu", "epochs": 2, "threads": 1, "log_every": 0}
    data = {"rows": 64} if preset == "linear-regression-synthetic" else {}
    return load_system(preset, data_folder, settings | trainer, data)


def loop_called(name: str) -> Loop:
    try:
        return find_loop(name)
    except NotInstalledError as error:
        pytest.skip(str(error))


def loss_of(system: System, outputs: Any) -> float:
    with torch.no_grad():
        return system.loss(outputs(system.inputs), system.targets).item()


@pytest.mark.parametrize("name", LOOPS)
def test_every_loop_takes_all_steps_and_learns(name: str, tmp_path: Path) -> None:
    system = tiny("linear-regression-synthetic", tmp_path)
    trained = loop_called(name)(system)
    assert trained.steps == system.steps == 14
    assert trained.steps_per_s > 0
    assert loss_of(system, trained.outputs) < 0.8 * loss_of(system, system.model())


@pytest.mark.parametrize("name", ["bare", "tutorial", "lightning", "keras"])
def test_pictures_are_learned_from_as_well(name: str, shared_data: Path) -> None:
    system = tiny("mnist-mlp", shared_data, batch_size=32, epochs=15).head(128)
    trained = loop_called(name)(system)
    assert trained.steps == 60
    assert loss_of(system, trained.outputs) < loss_of(system, system.model())


def test_dltui_does_the_work_of_the_bare_loop_to_the_bit(tmp_path: Path) -> None:
    system = tiny("digits-mlp", tmp_path)
    bare, ours = find_loop("bare")(system), find_loop("dltui")(system)
    assert isinstance(bare.outputs, torch.nn.Module) and isinstance(ours.outputs, torch.nn.Module)
    assert bare.steps == ours.steps
    for weight, our_weight in zip(bare.outputs.parameters(), ours.outputs.parameters(), strict=True):
        assert torch.equal(weight, our_weight)


def test_batches_go_through_all_rows_in_another_order_each_time(tmp_path: Path) -> None:
    clock = Clock(0)
    batches = Batches(tiny("linear-regression-synthetic", tmp_path), clock)
    first, second = (torch.cat([targets for _, targets in batches]) for _ in range(2))
    assert clock.steps == 2 * len(batches) == 14
    assert not torch.equal(first, second)
    assert torch.equal(first.sort(0).values, second.sort(0).values)


def test_a_clock_leaves_out_the_warm_up_and_the_last_step(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = iter([0.0, 100.0, 101.0, 103.0])
    monkeypatch.setattr("benchmarks.systems.time.perf_counter", lambda: next(now_s))
    clock = Clock(warm_up=1)
    for _ in range(4):
        clock.begin_step()
    assert clock.steps_per_s() == 2 / 3

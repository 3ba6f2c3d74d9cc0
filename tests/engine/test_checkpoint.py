"""Checkpoints: whole or not there, data and nothing but data."""

from __future__ import annotations

import errno
import math
import pickle
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine import checkpoint as module
from engine.checkpoint import (
    Checkpoint,
    CheckpointError,
    CheckpointStore,
    load_checkpoint,
    random_states,
    restore_random_states,
)


def sample(step: int, value: float = 1.0) -> Checkpoint:
    return Checkpoint(step, {"net.weight": torch.full((2, 3), value)}, {"epoch": 3, "nested": {"lr": [0.1, 0.2]}})


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path)


def test_what_is_saved_is_loaded(store: CheckpointStore) -> None:
    store.save_last(sample(7, 2.5))
    loaded = store.load_last()
    assert loaded is not None
    assert loaded.step == 7
    assert torch.equal(loaded.weights["net.weight"], torch.full((2, 3), 2.5))
    assert loaded.state["nested"] == {"lr": [0.1, 0.2]}


def test_there_is_none_at_first(store: CheckpointStore) -> None:
    assert store.load_last() is None


def test_the_newest_replaces_the_one_before_and_leaves_nothing_behind(store: CheckpointStore, tmp_path: Path) -> None:
    for step in (1, 2, 3, 3):
        store.save_last(sample(step))
    store.save_best(sample(2))
    assert load_checkpoint(tmp_path / "last").step == 3
    assert load_checkpoint(tmp_path / "best").step == 2
    assert len([path for path in tmp_path.iterdir() if not path.is_symlink()]) == 2


def test_one_that_was_asked_for_is_kept(store: CheckpointStore, tmp_path: Path) -> None:
    store.save_step(sample(5))
    store.save_last(sample(9))
    assert load_checkpoint(tmp_path / "step-5").step == 5
    assert load_checkpoint(tmp_path / "last").step == 9


def test_a_failed_write_leaves_the_one_before(
    store: CheckpointStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save_last(sample(1))
    before = sorted(path.name for path in tmp_path.iterdir())

    def no_space(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        store.save_last(sample(2))
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert load_checkpoint(tmp_path / "last").step == 1


@pytest.mark.parametrize("save", [CheckpointStore.save_last, CheckpointStore.save_step, CheckpointStore.save_best])
@pytest.mark.parametrize("failing", ["Path.symlink_to", "Path.replace", "_sync_folder"])
def test_one_that_no_link_can_lead_to_is_not_left_behind(
    store: CheckpointStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    save: Callable[[CheckpointStore, Checkpoint], str],
    failing: str,
) -> None:
    store.save_last(sample(1))
    store.save_best(sample(1))
    before = {path.name for path in tmp_path.iterdir()}

    def no_inode(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"engine.checkpoint.{failing}", no_inode)
        with pytest.raises(OSError, match="No space"):
            save(store, sample(2))
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith(".link-to-")} == before
    assert load_checkpoint(tmp_path / "last").step == 1
    save(store, sample(2))
    assert load_checkpoint(tmp_path / ("best" if save is CheckpointStore.save_best else "last")).step == 2


def test_one_that_a_link_leads_to_stays_whatever_fails_then(
    store: CheckpointStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([False, True])

    def fail_late(folder: Path) -> None:
        if next(failures):
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(module, "_sync_folder", fail_late)
    with pytest.raises(OSError, match="Input/output"):
        store.save_last(sample(2))
    assert load_checkpoint(tmp_path / "last").step == 2


@pytest.mark.parametrize("file", ["weights.safetensors", "state.pt"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "garbage"])
def test_a_damaged_one_is_named(store: CheckpointStore, tmp_path: Path, file: str, damage: str) -> None:
    store.save_last(sample(1))
    path = tmp_path / "last" / file
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "cut": data[: len(data) // 2], "garbage": b"\xff" * len(data)}[damage])
    with pytest.raises(CheckpointError, match="last"):
        store.load_last()


def test_a_pickle_that_runs_code_is_refused(store: CheckpointStore, tmp_path: Path) -> None:
    store.save_last(sample(1))

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (Path(str(tmp_path / "owned")),)  # type: ignore[return-value]

    torch.save({"version": 1, "step": 1, "evil": Evil()}, tmp_path / "last" / "state.pt")
    with pytest.raises(CheckpointError, match="refused"):
        store.load_last()
    (tmp_path / "last" / "state.pt").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(CheckpointError):
        store.load_last()
    assert not (tmp_path / "owned").exists()


def test_random_states_come_back() -> None:
    device = torch.device("cpu")
    states = random_states(device)
    drawn = torch.rand(3), np.random.rand(3), random.random(), np.random.randn()
    restore_random_states(states, device)
    again = torch.rand(3), np.random.rand(3), random.random(), np.random.randn()
    assert torch.equal(drawn[0], again[0])
    assert np.array_equal(drawn[1], again[1])
    assert drawn[2:] == again[2:]


def test_random_states_survive_the_disk(store: CheckpointStore) -> None:
    device = torch.device("cpu")
    store.save_last(Checkpoint(1, {}, {"random": random_states(device)}))
    drawn = torch.rand(3), np.random.rand(3), random.random()
    loaded = store.load_last()
    assert loaded is not None
    restore_random_states(loaded.state["random"], device)
    assert torch.equal(drawn[0], torch.rand(3))
    assert np.array_equal(drawn[1], np.random.rand(3))
    assert drawn[2] == random.random()


@pytest.mark.parametrize(
    "fault",
    [
        *({"step": step} for step in (-5, 10**30, "x", True, None)),
        *({"epoch": epoch} for epoch in (-7, 10**30, "x")),
        *({"threads": threads} for threads in (-3, 0, 100_000, 10**12, "x")),
        *({"base_lr": lr} for lr in (math.nan, -5.0, "x\x1b[31m", None)),
        *({"elapsed_s": seconds} for seconds in (-1e308, math.inf, "x")),
        *({"best_value": value} for value in (math.nan, "x")),
        *({"due": due} for due in ([1, 2], [[None, 0.1]], [[1, "x"]], [[0, 1e9]], None)),
        *({"log_bytes": size} for size in (-5, 10**30, "x")),
        *({"optimizers": states} for states in (None, {"adam": []})),
        *(
            {name: value}
            for name in ("data", "task", "random")
            for value in (None, [1])
            if (name, value) != ("random", None)
        ),
        {"random": random_states(torch.device("cpu")) | {"python": [3, ["x"], None]}},
        {"random": random_states(torch.device("cpu")) | {"numpy": ["MT19937", torch.zeros(624), 10**8, 0, 0.0]}},
        {7: "x"},
    ],
    ids=lambda state: str(state)[:60] if "random" not in state else None,  # which is different in each process
)
def test_a_state_that_can_not_be_is_refused_in_a_line_that_says_what_of_it(
    store: CheckpointStore, tmp_path: Path, fault: dict[Any, Any]
) -> None:
    store.save_last(Checkpoint(3, {}, {"step": 3} | fault))
    with pytest.raises(CheckpointError) as caught:
        store.load_last()
    said = re.fullmatch(
        rf"checkpoint {tmp_path / 'last'} is damaged: its (\w+).* can't be used: Expected .*", str(caught.value)
    )
    assert said
    assert said[1] in (*fault, "key")

"""Drawn data: the truth is in it, a seed repeats it, and splits are independent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from engine.data import DataBundle, load_data
from engine.schema.data import Data

NOWHERE = Path("/nonexistent")
SMALL: list[dict[str, Any]] = [
    {"kind": "points"},
    {"kind": "linear-synthetic", "rows": 50},
    {"kind": "polynomial", "degree": 5, "train_rows": 7, "val_rows": 9},
    {"kind": "high-dimensional", "features": 11, "train_rows": 4, "val_rows": 6},
    {"kind": "cubic", "rows": 30},
    {"kind": "hours"},
    {"kind": "xor"},
    {"kind": "spiral", "arms": 4, "points": 10},
    {"kind": "digits"},
    {"kind": "breast-cancer"},
]


def schema(tree: dict[str, Any]) -> Any:
    return TypeAdapter(Data).validate_python(tree)


def load(tree: dict[str, Any], seed: int = 0) -> DataBundle:
    return load_data(schema(tree), seed, NOWHERE)


@pytest.mark.parametrize("tree", SMALL, ids=lambda tree: tree["kind"])
def test_a_bundle_is_what_its_facts_say(tree: dict[str, Any]) -> None:
    facts, data = schema(tree).facts(), load(tree)
    assert data.input_shape == facts.input_shape
    assert data.outputs == facts.outputs
    assert len(data.train) == facts.train_rows
    assert (len(data.val) if data.val else None) == facts.val_rows
    for split in filter(None, (data.train, data.val)):
        assert split.inputs.dtype == torch.float32
        assert tuple(split.inputs.shape[1:]) == data.input_shape
        assert torch.isfinite(split.inputs).all()
        if facts.targets == "classes":
            assert split.targets.dtype == torch.int64
            assert split.targets.shape == (len(split),)
            assert len(data.class_names) == data.outputs
        else:
            assert split.targets.dtype == torch.float32
            assert split.targets.shape == (len(split), 1)
        if facts.targets == "binary":
            assert set(split.targets.unique().tolist()) == {0.0, 1.0}
            assert len(data.class_names) == 2


@pytest.mark.parametrize("kind", ["linear-synthetic", "polynomial", "high-dimensional", "cubic", "spiral"])
def test_a_seed_repeats_its_draw_and_splits_are_independent(kind: str) -> None:
    first, again, other = load({"kind": kind}, 5), load({"kind": kind}, 5), load({"kind": kind}, 6)
    assert torch.equal(first.train.inputs, again.train.inputs)
    assert torch.equal(first.train.targets, again.train.targets)
    column = slice(None) if kind != "cubic" else 0
    drawn = first.train.targets if kind == "cubic" else first.train.inputs
    assert not torch.equal(drawn, other.train.targets if kind == "cubic" else other.train.inputs)
    assert first.val is not None
    held_out = first.val.targets if kind == "cubic" else first.val.inputs
    rows = min(len(drawn), len(held_out))
    assert not torch.allclose(drawn[:rows, column], held_out[:rows, column])


@pytest.mark.parametrize("kind", ["digits", "breast-cancer"])
def test_real_data_is_split_the_same_for_every_seed(kind: str) -> None:
    first, other = load({"kind": kind}, 0), load({"kind": kind}, 1)
    assert torch.equal(first.train.inputs, other.train.inputs)


def test_loading_leaves_the_global_random_state_alone() -> None:
    before, numpy_before = torch.get_rng_state(), np.random.get_state(legacy=True)[1]
    for tree in SMALL:
        load(tree)
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state(legacy=True)[1] == numpy_before).all()


def test_points_lie_on_a_line_and_the_fourth_is_held_out() -> None:
    data = load({"kind": "points"})
    assert data.train.inputs.tolist() == [[1.0], [2.0], [3.0]]
    assert data.train.targets.tolist() == [[2.0], [4.0], [6.0]]
    assert data.val is not None
    assert (data.val.inputs.item(), data.val.targets.item()) == (4.0, 8.0)


def test_linear_rows_are_the_true_plane_plus_noise() -> None:
    data = load({"kind": "linear-synthetic", "rows": 4000, "noise": 0.01})
    x, y = data.train.inputs.double().numpy(), data.train.targets.double().numpy()[:, 0]
    fitted = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)[0]
    assert np.allclose(fitted, list(data.true_parameters.values()), atol=2e-3)
    assert (y - x @ [2, -3.4] - 4.2).std() == pytest.approx(0.01, rel=0.1)
    assert x.std(0) == pytest.approx(1, rel=0.1)


def test_polynomial_features_are_powers_and_few_rows_begin_many() -> None:
    many, few = load({"kind": "polynomial"}), load({"kind": "polynomial", "train_rows": 2})
    assert torch.equal(many.train.inputs[:2], few.train.inputs)
    assert torch.equal(many.train.targets[:2], few.train.targets)
    x = many.train.inputs[:, 0].double()
    assert torch.allclose(many.train.inputs.double(), torch.stack([x, x**2, x**3], 1), rtol=1e-5)
    assert many.true_function is not None and many.features_of_x is not None
    noise = many.train.targets[:, 0].double().numpy() - many.true_function(x.numpy())
    assert noise.std() == pytest.approx(0.1, rel=0.25)
    assert many.features_of_x(np.array([2.0])).tolist() == [[2.0, 4.0, 8.0]]


def test_polynomial_truth_is_told_only_if_the_features_can_hold_it() -> None:
    assert load({"kind": "polynomial", "degree": 1}).true_parameters == {}
    assert load({"kind": "polynomial", "degree": 4}).true_parameters["w4"] == 0.0


def test_cubic_rows_lie_evenly_on_the_curve() -> None:
    data = load({"kind": "cubic", "rows": 101, "noise": 0})
    assert data.train.inputs[:, 0].tolist() == pytest.approx(np.linspace(-1, 1, 101).tolist(), abs=1e-6)
    assert torch.allclose(data.train.targets, data.train.inputs**3, atol=1e-6)


def test_spiral_arms_start_at_the_centre_and_turn() -> None:
    data = load({"kind": "spiral", "arms": 3, "points": 100, "noise": 0})
    arms = data.train.inputs.reshape(3, 100, 2)
    assert arms[:, 0].abs().max() == 0
    assert arms[:, -1].norm(dim=1).tolist() == pytest.approx([1.0] * 3, abs=1e-5)
    assert data.train.targets.reshape(3, 100)[:, 0].tolist() == [0, 1, 2]
    # the first arm ends at two thirds of a turn from x = 0
    angle = 4 * np.pi / 3
    assert arms[0, -1].tolist() == pytest.approx([np.sin(angle), np.cos(angle)], abs=1e-5)


def test_data_moves_as_a_whole() -> None:
    moved = load({"kind": "spiral", "points": 5}).to(torch.device("meta"))
    assert moved.val is not None
    assert {moved.train.inputs.device.type, moved.train.targets.device.type, moved.val.inputs.device.type} == {"meta"}


def test_bytes_are_normalised_when_prepared() -> None:
    data = load({"kind": "xor"})
    stored = torch.tensor([0, 255], dtype=torch.uint8)
    assert data.prepare(stored).tolist() == pytest.approx([0.0, 1.0])
    assert stored.tolist() == [0, 255]

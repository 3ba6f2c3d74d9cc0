"""What presets promise, they keep: trained through the engine with the default seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.presets.runs import Trained, train

NOISE_VARIANCE = 0.1**2
"""Of the polynomial's targets: no model's expected loss is lower."""


async def test_linear_regression_finds_the_line(tmp_path: Path) -> None:
    run = await train("linear-regression", tmp_path)
    w, b = run.last("param/w"), run.last("param/b")
    assert w == pytest.approx(2, abs=0.01)
    assert b == pytest.approx(0, abs=0.02)
    assert 4 * w + b == pytest.approx(8, abs=0.02)
    assert run.figure("history")["keys"].tolist() == ["param/w", "param/b"]


async def test_the_plane_is_found_and_by_hand_along_the_same_curve(tmp_path: Path) -> None:
    library = await train("linear-regression-synthetic", tmp_path)
    by_hand = await train("linear-regression-scratch", tmp_path)
    for run in (library, by_hand):
        compared = run.figure("parameters")
        assert compared["learned"] == pytest.approx(compared["truth"], abs=0.01)
        assert run.last("train/loss") < 1e-3 and run.last("val/loss") < 1e-3
    for key in ("train/loss", "val/loss", "param/w1", "param/w2", "param/b"):
        assert len(library.values(key)) > 2
        assert by_hand.values(key) == pytest.approx(library.values(key), abs=1e-5)


async def test_a_polynomial_is_fitted_underfitted_and_overfitted(tmp_path: Path) -> None:
    normal = await train("polynomial-normal", tmp_path)
    assert normal.last("val/loss") < 0.05
    under = await train("polynomial-underfit", tmp_path)
    assert under.last("train/loss") > 5 * NOISE_VARIANCE
    assert under.last("val/loss") > 5 * NOISE_VARIANCE
    losses = under.values("val/loss")
    assert min(losses[10:]) > 0.5 * losses[10], "flat after its start"
    over = await train("polynomial-overfit", tmp_path)
    assert over.last("val/loss") > 10 * over.last("train/loss")


async def test_weight_decay_lowers_the_norm_and_the_test_loss(tmp_path: Path) -> None:
    on, off = await train("weight-decay", tmp_path), await train("weight-decay-off", tmp_path)
    assert on.last("norm/weight") < off.last("norm/weight")
    assert on.last("val/loss") < off.last("val/loss")
    assert off.last("train/loss") < 1e-6


async def test_relu_fits_a_curve_that_a_linear_chain_cannot(tmp_path: Path) -> None:
    losses = {
        name: (await train(f"regression-1d{name}", tmp_path)).last("val/loss") for name in ("", "-linear", "-tanh")
    }
    assert losses[""] < losses["-linear"] / 5
    assert losses["-tanh"] < losses["-linear"] / 5


async def test_the_exam_is_passed_between_two_and_three_hours(tmp_path: Path) -> None:
    run = await train("logistic-regression", tmp_path)
    assert 2 < run.last("param/boundary") < 3
    assert run.figure("probability")["boundary"][0] == pytest.approx(run.last("param/boundary"), abs=1e-3)


async def test_tumours_are_told_apart(tmp_path: Path) -> None:
    assert (await train("logistic-tabular", tmp_path)).last("val/accuracy") >= 0.95


async def test_xor_wants_a_hidden_layer(tmp_path: Path) -> None:
    assert max((await train("xor-perceptron", tmp_path)).values("train/accuracy")) <= 0.75
    assert (await train("xor", tmp_path)).last("train/accuracy") == 1.0


async def test_spirals_want_a_non_linearity(tmp_path: Path) -> None:
    linear, relu = await train("spiral-linear", tmp_path), await train("spiral-relu", tmp_path)
    assert linear.last("train/accuracy") == pytest.approx(0.5, abs=0.03)
    assert linear.last("val/accuracy") == pytest.approx(0.5, abs=0.03)
    assert relu.last("train/accuracy") >= 0.93 and relu.last("val/accuracy") >= 0.93


async def test_digits_are_read(tmp_path: Path) -> None:
    run = await train("digits-mlp", tmp_path)
    assert run.last("val/accuracy") >= 0.96
    counts = run.figure("matrix")["counts"]
    assert counts.trace() / counts.sum() == pytest.approx(run.last("val/accuracy"))


async def test_convolutions_read_digits(tmp_path: Path) -> None:
    """The preset's network on the small digits that need no network connection."""
    small = {"data": {"kind": "digits"}, "model": {"kernel": 3, "padding": "same"}}
    run = await train("mnist-cnn", tmp_path, **small, optimizer={"kind": "adam", "lr": 0.01})
    assert run.last("val/accuracy") >= 0.95
    assert run.figure("features")["titles"].tolist()[1:3] == ["filters of block1.conv1", "maps of block1.conv1, 8x8"]


async def test_fewer_epochs_of_real_clothes_and_digits(tmp_path: Path, shared_data: Path) -> None:
    softmax = await train("softmax-regression", tmp_path, shared_data, trainer={"epochs": 2})
    assert softmax.last("val/accuracy") >= 0.75
    by_hand = await train("mnist-numpy", tmp_path, shared_data, trainer={"epochs": 1})
    assert by_hand.last("val/accuracy") >= 0.95


async def test_a_users_table_trains(tmp_path: Path, shared_data: Path) -> None:
    quick = {"optimizer": {"kind": "adam", "lr": 0.01}}
    run: Trained = await train("logistic-tabular-mlp", tmp_path, shared_data, trainer={"epochs": 40}, **quick)
    assert run.last("val/accuracy") >= 0.72


async def test_hello_is_spelled_by_every_variant(tmp_path: Path) -> None:
    for variant in ("cell", "rnn", "embedding"):
        run = await train("rnn-hello", tmp_path, model={"variant": variant})
        spelled = run.figure("spelling")
        assert spelled["texts"][-1] == spelled["wanted"][0] == "ohlol"
        assert spelled["labels"].tolist() == [f"epoch {epoch}" for epoch in range(16)]
        assert run.last("train/accuracy") == 1.0

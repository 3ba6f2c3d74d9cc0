"""What a step does, what is measured, and that hand-written tasks do what the library does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.data import DataBundle, load_data
from engine.data.bundle import Split
from engine.schema import RunConfig, overlay, validate
from engine.tasks import Task, build_task
from engine.tasks import numpy_network as network

CPU = torch.device("cpu")
SPIRAL: dict[str, Any] = {
    "task": {"kind": "classification"},
    "data": {"kind": "spiral", "points": 20},
    "model": {"kind": "mlp", "hidden": [8]},
    "optimizer": {"kind": "sgd", "lr": 0.1},
}
PLANE: dict[str, Any] = {
    "task": {"kind": "regression", "loss": "half-mse"},
    "data": {"kind": "linear-synthetic", "rows": 40},
    "model": {"kind": "linear", "init": "normal"},
    "optimizer": {"kind": "sgd", "lr": 0.1},
}
HOURS: dict[str, Any] = {
    "task": {"kind": "binary-classification", "loss": "bce-sum"},
    "data": {"kind": "hours"},
    "model": {"kind": "linear"},
}
DIGITS: dict[str, Any] = {
    "task": {"kind": "classification-numpy"},
    "data": {"kind": "digits"},
    "model": {"kind": "mlp", "hidden": [16]},
}
ALL = [SPIRAL, PLANE, overlay(PLANE, {"task": {"kind": "regression-scratch"}}), HOURS, DIGITS]
SUMMED: dict[str, Any] = overlay(PLANE, {"task": {"loss": "mse-sum"}})
HELLO: dict[str, Any] = {
    "task": {"kind": "token-classification"},
    "data": {"kind": "hello"},
    "model": {"kind": "rnn"},
}
GAN: dict[str, Any] = {
    "task": {"kind": "gan"},
    "data": {"kind": "digits"},
    "model": {"kind": "dcgan", "ngf": 8, "ndf": 8},
}


def make(tree: dict[str, Any], **over: Any) -> tuple[Task, DataBundle, RunConfig]:
    config = validate(overlay(tree, over))
    data = load_data(config.data, config.trainer.seed, Path("/nonexistent"))
    task = build_task(config, data, CPU)
    task.set_lr(config.optimizer.lr)
    return task, data, config


def weights(task: Task) -> Tensor:
    return torch.nn.utils.parameters_to_vector(task.modules["model"].parameters()).detach().clone()


def value(task: Task, split: Split, key: str = "loss") -> float:
    return task.measure([task.evaluate(split.inputs, split.targets)])[key].item()


@pytest.mark.parametrize("tree", ALL, ids=lambda tree: tree["task"]["kind"])
def test_every_task_learns_from_steps_and_not_from_evaluation(tree: dict[str, Any]) -> None:
    task, data, config = make(tree)
    before, loss = weights(task), value(task, data.train)
    assert torch.equal(weights(task), before)
    for _ in range(20):
        observation = task.train_step(data.train.inputs, data.train.targets)
    assert value(task, data.train) < loss
    assert not torch.equal(weights(task), before)
    assert all(not tensor.requires_grad for tensor in observation.values())
    assert all(p.grad is None for p in task.modules["model"].parameters())
    assert task.parameter_count() == config.parameter_count()
    assert task.metric == ("loss" if "regression" in config.task.kind else "accuracy")


@pytest.mark.parametrize("tree", ALL, ids=lambda tree: tree["task"]["kind"])
def test_initial_weights_follow_from_the_seed_and_leave_the_generator_alone(tree: dict[str, Any]) -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = weights(make(tree)[0])
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    assert torch.equal(weights(make(tree)[0]), first)
    assert not torch.equal(weights(make(tree, trainer={"seed": 1})[0]), first)


@pytest.mark.parametrize("tree", ALL, ids=lambda tree: tree["task"]["kind"])
def test_weights_put_back_are_the_ones_trained_on(tree: dict[str, Any]) -> None:
    task, data, _ = make(tree)
    start = {key: tensor.clone() for key, tensor in task.modules["model"].state_dict().items()}
    first = task.train_step(data.train.inputs, data.train.targets)["loss"].item()
    moved = weights(task)
    task.modules["model"].load_state_dict(start)
    assert task.train_step(data.train.inputs, data.train.targets)["loss"].item() == pytest.approx(first, rel=1e-6)
    assert torch.allclose(weights(task), moved)


def test_the_learning_rate_is_that_of_the_last_call() -> None:
    for tree in (SPIRAL, overlay(PLANE, {"task": {"kind": "regression-scratch"}}), DIGITS):
        lengths = []
        for lr in (0.0, 0.01, 0.02):
            task, data, _ = make(tree)
            before = weights(task)
            task.set_lr(lr)
            task.train_step(data.train.inputs, data.train.targets)
            lengths.append((weights(task) - before).norm().item())
        assert lengths[0] == 0
        assert lengths[2] == pytest.approx(2 * lengths[1], rel=1e-3)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [("mse", lambda d: (d**2).mean()), ("half-mse", lambda d: (d**2).mean() / 2), ("mse-sum", lambda d: (d**2).sum())],
)
def test_regression_losses(loss: str, expected: Callable[[Tensor], Tensor]) -> None:
    task, data, _ = make(PLANE, task={"loss": loss}, trainer={"batch_size": "full"})
    observation = task.train_step(data.train.inputs, data.train.targets)
    difference = observation["outputs"] - data.train.targets
    assert observation["loss"].item() == pytest.approx(expected(difference).item(), rel=1e-5)


def test_a_summed_loss_is_reported_per_sample() -> None:
    for tree, one in ((PLANE, {"loss": "mse-sum"}), (HOURS, {"loss": "bce-sum"})):
        mean = {"loss": one["loss"].removesuffix("-sum")}
        summed, data, _ = make(tree, task=one)
        averaged, _, _ = make(tree, task=mean)
        assert value(summed, data.train) == pytest.approx(value(averaged, data.train), rel=1e-5)


@pytest.mark.parametrize("tree", ALL, ids=lambda tree: tree["task"]["kind"])
def test_each_sample_counts_the_same_whatever_the_batches(tree: dict[str, Any]) -> None:
    task, data, _ = make(tree)
    x, y = data.train.inputs, data.train.targets
    whole = task.measure([task.evaluate(x, y)])
    cut = max(1, len(x) // 3)
    parts = task.measure([task.evaluate(x[:cut], y[:cut]), task.evaluate(x[cut:], y[cut:])])
    even = task.measure([task.evaluate(x, y), task.evaluate(x, y)])
    for key in whole:
        assert parts[key].item() == pytest.approx(whole[key].item(), rel=1e-5)
        assert even[key].item() == pytest.approx(whole[key].item(), rel=1e-5)


@pytest.mark.parametrize("tree", [*ALL, SUMMED, HELLO, GAN], ids=lambda tree: ":".join(tree["task"].values()))
def test_rows_measured_together_are_those_measured_alone(tree: dict[str, Any]) -> None:
    task, data, _ = make(tree)
    x, y = data.train.inputs, data.train.targets
    steps = [task.evaluate(x[first : first + 4], y[first : first + 4]) for first in range(0, min(10, len(x)), 4)]
    rows = [steps[:1], steps[:1], steps, steps[-1:]]
    together = task.measure_rows(rows)
    for place, row in enumerate(rows):
        for key, alone in task.measure(row).items():
            assert together[key][place].item() == pytest.approx(alone.item(), rel=1e-6)


def test_accuracy_counts_right_answers() -> None:
    task, data, _ = make(SPIRAL)
    outputs = task.evaluate(data.train.inputs, data.train.targets)["outputs"]
    right = (outputs.argmax(1) == data.train.targets).double().mean().item()
    assert value(task, data.train, "accuracy") == pytest.approx(right)
    binary, hours, _ = make(HOURS)
    logits = binary.evaluate(hours.train.inputs, hours.train.targets)["outputs"]
    right = ((logits > 0).float() == hours.train.targets).double().mean().item()
    assert value(binary, hours.train, "accuracy") == pytest.approx(right)


def test_nll_is_cross_entropy_by_another_name() -> None:
    first, data, _ = make(SPIRAL)
    second, _, _ = make(SPIRAL, task={"loss": "nll"})
    for _ in range(5):
        one = first.train_step(data.train.inputs, data.train.targets)["loss"]
        other = second.train_step(data.train.inputs, data.train.targets)["loss"]
        assert one.item() == pytest.approx(other.item(), rel=1e-5)


@pytest.mark.parametrize("loss", ["cross-entropy", "nll"])
def test_smoothing_is_trained_on_and_not_measured(loss: str) -> None:
    task, data, _ = make(SPIRAL, task={"loss": loss, "label_smoothing": 0.2})
    evaluated = task.evaluate(data.train.inputs, data.train.targets)
    plain = F.cross_entropy(evaluated["outputs"], data.train.targets)
    assert evaluated["loss"].item() == pytest.approx(plain.item(), rel=1e-5)
    smoothed = F.cross_entropy(evaluated["outputs"], data.train.targets, label_smoothing=0.2)
    step = task.train_step(data.train.inputs, data.train.targets)
    assert step["loss"].item() == pytest.approx(smoothed.item(), rel=1e-5)


def test_clipping_bounds_the_step() -> None:
    task, data, _ = make(SPIRAL, trainer={"clip_norm": 1e-3})
    before = weights(task)
    task.set_lr(1.0)
    task.train_step(data.train.inputs, data.train.targets)
    assert (weights(task) - before).norm().item() == pytest.approx(1e-3, rel=1e-2)


def test_bf16_trains_close_to_fp32_and_measures_in_float() -> None:
    task, data, _ = make(SPIRAL, trainer={"precision": "bf16"})
    exact, _, _ = make(SPIRAL)
    one = task.train_step(data.train.inputs, data.train.targets)
    other = exact.train_step(data.train.inputs, data.train.targets)
    assert one["outputs"].dtype == torch.float32
    assert 0 < (one["outputs"] - other["outputs"]).abs().max().item() < 0.02
    evaluated = task.evaluate(data.train.inputs, data.train.targets)
    assert evaluated["outputs"].dtype == torch.float32


def test_compilation_covers_training_only(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def compile_(module: torch.nn.Module) -> Callable[[Tensor], Tensor]:
        def forward(inputs: Tensor) -> Tensor:
            calls.append("compiled")
            return module(inputs)

        return forward

    monkeypatch.setattr(torch, "compile", compile_)
    task, data, _ = make(SPIRAL, trainer={"compile": True})
    task.evaluate(data.train.inputs, data.train.targets)
    assert calls == []
    task.train_step(data.train.inputs, data.train.targets)
    assert calls == ["compiled"]


def test_evaluation_silences_dropout_and_leaves_norms_and_modes_alone() -> None:
    task, data, _ = make(SPIRAL, model={"dropout": 0.5, "norm": "batch"})
    state = {key: tensor.clone() for key, tensor in task.modules["model"].state_dict().items()}
    first = task.evaluate(data.train.inputs, data.train.targets)["outputs"]
    assert torch.equal(first, task.evaluate(data.train.inputs, data.train.targets)["outputs"])
    assert all(torch.equal(tensor, state[key]) for key, tensor in task.modules["model"].state_dict().items())
    assert all(module.training for module in task.modules["model"].modules())


def gauges_of(task: Task) -> dict[str, float]:
    """The task's gauges as they are now."""
    gauged = task.gauged()
    assert gauged is not None
    return {key: column.item() for key, column in task.gauges(gauged[None]).items()}


def test_gauges_name_few_weights_and_measure_many() -> None:
    plane, _, _ = make(PLANE)
    assert list(gauges_of(plane)) == ["param/w1", "param/w2", "param/b"]
    model = plane.modules["model"]
    assert gauges_of(plane)["param/w2"] == model.get_parameter("weight")[0, 1].item()
    line, _, _ = make(PLANE, data={"kind": "points"})
    assert list(gauges_of(line)) == ["param/w", "param/b"]
    wide, _, _ = make(PLANE, data={"kind": "high-dimensional", "features": 30})
    assert list(gauges_of(wide)) == ["norm/weight", "param/b"]
    norm = wide.modules["model"].get_parameter("weight").norm().item()
    assert gauges_of(wide)["norm/weight"] == pytest.approx(norm)
    hours, _, _ = make(HOURS)
    gauges = gauges_of(hours)
    assert gauges["param/boundary"] == pytest.approx(-gauges["param/b"] / gauges["param/w"])
    assert make(SPIRAL)[0].gauged() is None
    assert make(PLANE, data={"kind": "cubic"}, model={"kind": "mlp"})[0].gauged() is None


def test_linear_regression_from_scratch_is_linear_regression() -> None:
    library, data, _ = make(PLANE)
    by_hand, _, _ = make(PLANE, task={"kind": "regression-scratch"})
    assert by_hand.optimizers == {}
    for start in range(0, 40, 10):
        x, y = data.train.inputs[start : start + 10], data.train.targets[start : start + 10]
        assert abs(library.train_step(x, y)["loss"].item() - by_hand.train_step(x, y)["loss"].item()) < 1e-5
    assert torch.allclose(weights(library), weights(by_hand), atol=1e-6)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_the_hand_written_gradient_is_autograds(activation: str) -> None:
    rng = np.random.default_rng(0)
    shapes = [(16, 30), (16,), (10, 16), (10,)]
    by_hand = network.Weights(*(rng.standard_normal(shape) for shape in shapes))
    x, y = rng.standard_normal((12, 30)), rng.integers(0, 10, 12)
    passed = network.forward(by_hand, x, activation)
    loss, slope = network.cross_entropy(passed.logits, y)
    gradients = network.backward(by_hand, x, passed, slope, activation)

    tensors = [torch.tensor(weight, requires_grad=True) for weight in by_hand]
    hidden = getattr(torch, activation)(F.linear(torch.from_numpy(x), tensors[0], tensors[1]))
    reference = F.cross_entropy(F.linear(hidden, tensors[2], tensors[3]), torch.from_numpy(y))
    reference.backward()
    assert loss == pytest.approx(reference.item(), abs=1e-12)
    for gradient, tensor in zip(gradients, tensors, strict=True):
        assert tensor.grad is not None
        assert np.abs(gradient - tensor.grad.numpy()).max() < 1e-6


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_numpy_trains_as_torch_does(activation: str) -> None:
    by_hand, data, _ = make(DIGITS, model={"activation": activation})
    library, _, _ = make(DIGITS, task={"kind": "classification"}, model={"activation": activation})
    assert torch.equal(weights(by_hand), weights(library))
    for start in range(0, 640, 64):
        x, y = data.train.inputs[start : start + 64], data.train.targets[start : start + 64]
        one, other = by_hand.train_step(x, y), library.train_step(x, y)
        assert one["loss"].item() == pytest.approx(other["loss"].item(), rel=1e-4)
    assert torch.allclose(weights(by_hand), weights(library), atol=1e-5)
    assert data.val is not None
    assert value(by_hand, data.val) == pytest.approx(value(library, data.val), rel=1e-4)


def test_cross_entropy_by_hand_survives_large_logits() -> None:
    loss, slope = network.cross_entropy(np.array([[1e4, 0.0], [0.0, -1e4]]), np.array([1, 0]))
    assert loss == pytest.approx(5000)
    assert np.isfinite(slope).all()


def test_a_run_imports_nothing_it_does_not_need(run_python: Callable[[str], str]) -> None:
    code = (
        "import sys, torch; from pathlib import Path\n"
        "from engine.data import load_data; from engine.tasks import build_task; from engine.schema import *\n"
        "for optimizer in ('sgd', 'adagrad', 'rmsprop', 'adam', 'adamw', 'nadam', 'radam', 'muon'):\n"
        "  rule = {'kind': optimizer}\n"
        "  config = validate({'data': {'kind': 'digits'}, 'model': {'kind': 'mlp'}, 'optimizer': rule})\n"
        "  data = load_data(config.data, 0, Path('nowhere')); task = build_task(config, data, torch.device('cpu'))\n"
        "  task.set_lr(0.1); task.train_step(data.train.inputs, data.train.targets); task.figures(data.val)\n"
        "print([name for name in ('sklearn', 'torchvision', 'torch._dynamo') if name in sys.modules])"
    )
    assert run_python(code) == "[]"

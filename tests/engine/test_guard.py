"""Numbers that are not finite are found before a step makes anything of them, whatever is trained."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.guard import Guard, NonFiniteFound, finite_weights
from engine.kept import Kept, tensors_of
from engine.schema import overlay
from engine.tasks import Task
from tests.engine.test_tasks import DIGITS, HOURS, PLANE, SPIRAL, make
from tests.engine.test_tasks_gan import GAN
from tests.engine.test_text_tasks import HELLO
from tests.engine.user_code import NET, TREE, write

INF = float("inf")
TREES: dict[str, dict[str, Any]] = {
    "regression": overlay(PLANE, {"optimizer": {"momentum": 0.9}}),
    "binary": HOURS,
    "classification": overlay(
        SPIRAL, {"model": {"hidden": [8, 8], "norm": "batch", "dropout": 0.1}, "optimizer": {"kind": "adam"}}
    ),
    "scratch": overlay(PLANE, {"task": {"kind": "regression-scratch"}}),
    "numpy": DIGITS,
    "tokens": HELLO,
    "gan": GAN,
    "custom": overlay(TREE, {"data": {"kind": "spiral", "points": 20}}),
}
BLOWN_UP = {
    "regression": ("", "model.bias"),
    "binary": ("", "model.bias"),
    "classification": ("norm1", "model.norm1.bias"),
    "scratch": ("", "model.bias"),
    "tokens": ("rnn", "model.rnn.cell.bias_hh"),
    "custom": ("hidden", "model.hidden.bias"),
}
"""Layers whose outputs pass on infinite gradients, and the parameter nearest to them on the way back."""


class InfiniteSlope(torch.autograd.Function):
    """What the square root is at 0: a finite value whose derivative is not."""

    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        return values.clone()

    @staticmethod
    def backward(_: Any, slopes: Tensor) -> Tensor:  # type: ignore[override]
        return slopes * INF


def blow_up(layer: nn.Module) -> None:
    """From now on the gradient of what `layer` gives is infinite, or NaN, while its values stay."""
    layer.register_forward_hook(lambda _, __, outputs: InfiniteSlope.apply(outputs))


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Task]:
    """Makes the task of a tree, which has taken a step, so that its optimizers remember something."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def make_one(kind: str) -> Task:
        file = write(tmp_path, NET)
        over = {"model": {"kind": "custom", "target": f"{file}:Net"}} if kind == "custom" else {}
        task = make(TREES[kind], **over)[0]
        torch.manual_seed(1)
        task.train_step(*batch(task))
        return task

    return make_one


def batch(task: Task, rows: int = 16) -> tuple[Tensor, Tensor]:
    """The first prepared rows."""
    train = task.data.train
    return task.data.prepare(train.inputs[:rows]).clone(), train.targets[:rows].clone()


def trained(task: Task) -> dict[str, Any]:
    """All that a step may change, but for running statistics: weights, and what optimizers remember."""
    weights = {
        f"{name}.{key}": value.detach().clone()
        for name, module in task.modules.items()
        for key, value in module.named_parameters()
    }
    rules = {
        f"{name}.{place}.{key}": copy.deepcopy(value)
        for name, rule in task.optimizers.items()
        for place, state in enumerate(rule.state.values())
        for key, value in state.items()
    }
    return weights | rules


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(one[key], other[key]) if isinstance(one[key], Tensor) else one[key] == other[key] for key in one
    )


def caught(task: Task, inputs: Tensor, targets: Tensor) -> NonFiniteFound:
    """What the guard finds; nothing of what is learned has moved, and no traces of the step are left."""
    task.guard, before = Guard(), trained(task)
    parameters = [p for module in task.modules.values() for p in module.parameters()]
    learning = [p.requires_grad for p in parameters]
    with pytest.raises(NonFiniteFound) as found:
        task.train_step(inputs, targets)
    assert same(trained(task), before)
    assert all(p.grad is None for p in parameters)
    assert [p.requires_grad for p in parameters] == learning
    return found.value


@pytest.mark.parametrize("kind", sorted({*TREES} - {"tokens"}))
def test_a_loss_that_is_not_finite_is_not_learned_from(build: Callable[[str], Task], kind: str) -> None:
    task = build(kind)
    inputs, targets = batch(task)
    inputs[1] = INF
    found = caught(task, inputs, targets)
    assert (found.what, found.name) == ("loss", "loss_d" if kind == "gan" else "loss")
    assert "is NaN or infinite" in str(found)
    task.guard = None
    task.train_step(inputs, targets)
    assert not finite_weights(task.modules)  # so that without a guard all is lost


def test_tokens_whose_logits_overflow_are_not_learned_from(build: Callable[[str], Task]) -> None:
    task = build("tokens")
    with torch.no_grad():
        task.modules["model"].get_parameter("output.weight").mul_(1e39)
    found = caught(task, *batch(task))
    assert (found.what, found.name) == ("loss", "loss")


@pytest.mark.parametrize("kind", sorted(BLOWN_UP))
def test_an_infinite_gradient_is_named_by_the_parameter_nearest_to_where_it_arose(
    build: Callable[[str], Task], kind: str
) -> None:
    task, (layer, name) = build(kind), BLOWN_UP[kind]
    blow_up(task.modules["model"].get_submodule(layer))
    found = caught(task, *batch(task))
    assert (found.what, found.name) == ("gradient", name)
    assert name in str(found)
    task.guard = None
    assert task.train_step(*batch(task))["loss"].isfinite()
    assert not finite_weights(task.modules)


def test_a_gradient_that_numpy_overflows_is_named(build: Callable[[str], Task]) -> None:
    """Weights of zero keep the loss finite on inputs as large as numbers get; the gradient by them is larger."""
    task = build("numpy")
    inputs, targets = batch(task)
    with torch.no_grad():
        task.modules["model"].get_parameter("hidden1.weight").zero_()
        task.modules["model"].get_parameter("hidden1.bias").fill_(1)
        task.modules["model"].get_parameter("output.weight").mul_(1e3)
    found = caught(task, torch.full_like(inputs, 3e38), torch.zeros_like(targets))
    assert (found.what, found.name) == ("gradient", "model.hidden1.weight")


def test_a_learning_rate_far_too_large_ends_with_finite_weights(build: Callable[[str], Task]) -> None:
    for kind, lr in (("regression", 1e9), ("scratch", 1e9), ("numpy", 1e30)):
        task = build(kind)
        task.set_lr(lr)
        task.guard = Guard()
        with pytest.raises(NonFiniteFound):
            for _ in range(100):
                task.train_step(*batch(task))
        assert finite_weights(task.modules)


@pytest.mark.parametrize("kind", sorted(TREES))
def test_a_guard_changes_nothing_where_all_is_finite(build: Callable[[str], Task], kind: str) -> None:
    guarded, plain = build(kind), build(kind)
    guarded.guard = Guard()
    for task in (guarded, plain):
        torch.manual_seed(2)
        for _ in range(3):
            task.train_step(*batch(task))
    assert same(trained(guarded), trained(plain))


def gan_state(task: Task, name: str) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in task.modules[name].state_dict().items()}


@pytest.mark.parametrize("steps", [0, 1])
def test_the_discriminator_takes_its_update_back_if_the_generator_fails(steps: int) -> None:
    """Its running statistics too, and at the first step its optimizer's empty memory."""
    task = make(GAN)[0]
    for _ in range(steps):
        task.train_step(*batch(task))
    before, norm = gan_state(task, "discriminator"), task.modules["generator"].get_submodule("norm1")
    blow_up(norm)
    found = caught(task, *batch(task))
    assert (found.what, found.name) == ("gradient", "generator.norm1.bias")
    assert same(gan_state(task, "discriminator"), before)
    assert all(bool(rule.state) == (steps > 0) for rule in task.optimizers.values())
    norm._forward_hooks.clear()
    task.train_step(*batch(task))
    assert finite_weights(task.modules)
    assert not same(gan_state(task, "discriminator"), before)


def test_a_discriminators_gradient_is_named() -> None:
    task = make(GAN)[0]
    blow_up(task.modules["discriminator"].get_submodule("down1"))
    found = caught(task, *batch(task))
    assert (found.what, found.name) == ("gradient", "discriminator.down1.weight")


def test_a_generators_loss_is_named() -> None:
    task, calls = make(GAN)[0], count(1)
    task.modules["discriminator"].register_forward_hook(
        lambda _, __, logits: logits * (float("nan") if next(calls) == 3 else 1)  # after the real and the made pictures
    )
    before = gan_state(task, "discriminator")
    found = caught(task, *batch(task))
    assert (found.what, found.name) == ("loss", "loss_g")
    assert same(gan_state(task, "discriminator"), before)


def test_looking_costs_one_sync_while_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = []
    for name in ("__bool__", "__float__", "item", "tolist", "numpy", "cpu"):
        original = getattr(Tensor, name)
        monkeypatch.setattr(Tensor, name, lambda tensor, of=original: fetched.append(tensor) or of(tensor))
    Guard().check({"loss": torch.ones(()), "other": torch.zeros(())}, [(str(k), torch.randn(3, k)) for k in range(5)])
    assert len(fetched) == 1
    assert finite_weights({"a": nn.Linear(2, 3), "b": nn.Linear(2, 3)})
    assert len(fetched) == 2


def test_losses_come_first_and_the_last_of_gradients() -> None:
    fine, bad = torch.ones(2), torch.tensor([1.0, float("nan")])
    with pytest.raises(NonFiniteFound) as found:
        Guard().check({"a": fine[0], "b": bad[1]}, [("x", bad)])
    assert (found.value.what, found.value.name) == ("loss", "b")
    with pytest.raises(NonFiniteFound) as found:
        Guard().check({"a": fine[0]}, [("w", bad), ("x", bad), ("y", fine), ("z", None)])
    assert (found.value.what, found.value.name) == ("gradient", "x")


def test_huge_empty_and_mixed_numbers_are_finite() -> None:
    """Their norm overflows, does not exist, or is of another kind."""
    huge = torch.full((9,), 3e38)
    mixed = [torch.ones(2, dtype=torch.float64), torch.ones(2, dtype=torch.bfloat16), torch.ones(2, dtype=torch.cfloat)]
    Guard().check({"loss": torch.tensor(3e38)}, [(str(k), t) for k, t in enumerate([huge, torch.zeros(0), *mixed])])
    Guard().check({}, [("none", None)])
    with pytest.raises(NonFiniteFound):
        Guard().check({"loss": torch.tensor(3e38)}, [("huge", huge), ("bad", mixed[1] * INF)])


def test_weights_are_finite_whatever_buffers_hold() -> None:
    layer = nn.Linear(2, 2)
    layer.register_buffer("mask", torch.full((2, 2), -INF))
    layer.calls = nn.Parameter(torch.tensor([1, 2]), requires_grad=False)
    assert finite_weights({"model": layer})
    with torch.no_grad():
        layer.bias[1] = float("nan")
    assert not finite_weights({"model": layer})


def test_what_is_kept_comes_back_in_every_bit(build: Callable[[str], Task]) -> None:
    for kind in ("classification", "gan"):
        task = build(kind)
        before = trained(task), {name: gan_state(task, name) for name in task.modules}
        kept = Kept(tensors_of(task.modules.values()), task.optimizers.values())
        for _ in range(2):
            task.train_step(*batch(task))
        assert not same(trained(task), before[0])
        kept.put_back()
        assert same(trained(task), before[0])
        assert all(same(gan_state(task, name), before[1][name]) for name in task.modules)

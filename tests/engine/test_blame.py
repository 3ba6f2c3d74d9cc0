"""The layer, the data or the loss that made a number which is not finite is found by taking the step again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.blame import find_layer
from engine.schema import overlay
from engine.tasks import Task
from tests.engine.test_guard import INF, TREES, batch, blow_up, gan_state, same, trained
from tests.engine.test_tasks import DIGITS, PLANE, SPIRAL, make
from tests.engine.test_tasks_gan import GAN
from tests.engine.user_code import TREE, write

DEEP = overlay(SPIRAL, {"model": {"hidden": [8, 8], "norm": "batch", "dropout": 0.2}, "optimizer": {"kind": "adam"}})


def spoil(task: Task, parameter: str, value: float = INF, module: str = "model") -> None:
    with torch.no_grad():
        weights = task.modules[module].get_parameter(parameter)
        weights[(0,) * weights.ndim] = value


def blame(task: Task, inputs: Tensor | None = None, targets: Tensor | None = None) -> str:
    """What is found on the first rows, or on others; it leaves no traces."""
    x, y = batch(task)
    before = trained(task), {name: gan_state(task, name) for name in task.modules}
    found = find_layer(task, x if inputs is None else inputs, y if targets is None else targets)
    assert same(trained(task), before[0])
    assert all(_same_bits(gan_state(task, name), before[1][name]) for name in task.modules)
    assert task.guard is None
    parts = [part for module in task.modules.values() for part in module.modules()]
    assert not any(part._forward_pre_hooks for part in parts)
    return found


def _same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(value.nan_to_num(1.5), other[key].nan_to_num(1.5)) for key, value in one.items())


@pytest.mark.parametrize(
    ("parameter", "layer"),
    [
        ("hidden1.weight", "model.hidden1 (Linear)"),
        ("norm2.bias", "model.norm2 (BatchNorm1d)"),
        ("output.bias", "model.output (Linear)"),
    ],
)
def test_the_first_layer_to_fail_is_named(parameter: str, layer: str) -> None:
    task = make(DEEP)[0]
    task.train_step(*batch(task))
    spoil(task, parameter)
    assert blame(task) == layer


def test_a_step_that_goes_well_this_time_is_taken_back() -> None:
    for tree in (DEEP, DIGITS, GAN, *(TREES[kind] for kind in ("scratch", "tokens"))):
        task = make(tree)[0]
        task.train_step(*batch(task))
        assert blame(task) == ""


def test_data_that_is_not_finite_is_told_from_layers() -> None:
    task = make(PLANE)[0]
    inputs, targets = batch(task, 8)
    assert blame(task, inputs, torch.where(targets > targets.median(), INF, targets)) == (
        "the data (targets of 4 of the batch's 8 rows are not finite)"
    )
    inputs[[2, 5], 1] = float("nan")
    assert blame(task, inputs, targets) == "the data (inputs of 2 of the batch's 8 rows are not finite)"


def test_a_loss_too_large_for_a_number_is_named_itself() -> None:
    task = make(PLANE)[0]
    inputs, targets = batch(task)
    assert blame(task, inputs, targets + 1e30) == "the loss itself"


def test_an_infinite_gradient_is_named_by_its_parameter_though_a_layer_gives_infinities_on_purpose() -> None:
    task = make(DEEP)[0]
    model = task.modules["model"]
    blow_up(model.get_submodule("norm1"))
    model.get_submodule("dropout1").register_forward_hook(_Masked())
    assert blame(task) == "model.norm1.bias"


class _Masked:
    """A mask's infinities come and go between two layers."""

    def __call__(self, layer: nn.Module, inputs: Any, outputs: Tensor) -> Tensor:
        masked = nn.Threshold(-INF, -INF)(outputs - INF)
        return outputs + 0 * torch.exp(masked)


def test_tasks_without_layers_name_the_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = make(overlay(PLANE, {"task": {"kind": "regression-scratch"}}))[0]
    blow_up(scratch.modules["model"])
    assert blame(scratch) == "model.bias"
    by_hand = make(DIGITS)[0]
    inputs, targets = batch(by_hand)
    with torch.no_grad():
        by_hand.modules["model"].get_parameter("hidden1.weight").zero_()
        by_hand.modules["model"].get_parameter("hidden1.bias").fill_(1)
        by_hand.modules["model"].get_parameter("output.weight").mul_(1e3)
    assert blame(by_hand, torch.full_like(inputs, 3e38), torch.zeros_like(targets)) == "model.hidden1.weight"


def test_either_network_of_a_gan_is_named() -> None:
    """The generator runs first; works in place; and the discriminator is left as it was."""
    task = make(GAN)[0]
    task.train_step(*batch(task))
    spoil(task, "norm1.bias", module="generator")
    assert blame(task) == "generator.norm1 (BatchNorm2d)"
    other = make(GAN)[0]
    spoil(other, "output.weight", module="discriminator")
    assert blame(other) == "discriminator.output (Conv2d)"


OWN = """
import torch
from torch import nn

class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 4)
    def forward(self, x, *, scale):
        return self.linear(x) / scale

class InPlace(nn.Module):
    def forward(self, x):
        return x.mul_(torch.tensor([1, 1, 1, float("inf")])) if self.training else x

class Net(nn.Module):
    def __init__(self, outputs, way):
        super().__init__()
        self.way = way
        self.scaled, self.out = Scaled(), nn.Linear(4, outputs)
        self.in_place = InPlace()
    def forward(self, x):
        zero = x.new_zeros(()) if self.training else x.new_ones(())
        if self.way == "inner":
            return self.out(self.scaled(x, scale=zero))
        if self.way == "keyword":
            return self.out(self.scaled(x, scale=1 / zero / zero - 1 / zero))
        if self.way == "missing":
            return self.out(self.scaled(x.nan_to_num(), scale=1))
        if self.way == "between":
            return self.out(self.scaled(x, scale=1) / zero)
        return self.out(self.in_place(self.scaled(x, scale=1)))
"""


@pytest.mark.parametrize(
    ("way", "layer"),
    [
        ("inner", "model.scaled (Scaled)"),
        ("keyword", "model (Net)"),
        ("between", "model (Net)"),
        ("in_place", "model.in_place (InPlace)"),
    ],
)
def test_a_users_layers_are_named_whatever_they_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, layer: str
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    own = {"kind": "custom", "target": f"{write(tmp_path, OWN)}:Net", "args": {"way": way}}
    task = make(overlay(TREE, {"data": {"kind": "spiral", "points": 20}, "model": own}))[0]
    assert blame(task) == layer


def test_compiled_networks_are_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled code calls no hooks."""
    compile_: Callable[..., Any] = torch.compile
    monkeypatch.setattr(torch, "compile", lambda module: compile_(module, backend="eager"))
    task = make(DEEP, trainer={"compile": True})[0]
    task.train_step(*batch(task))
    spoil(task, "norm1.weight")
    assert blame(task) == "model.norm1 (BatchNorm1d)"


def test_nothing_is_said_where_there_is_no_telling(monkeypatch: pytest.MonkeyPatch) -> None:
    """No layers were at work; or there is no memory for copies."""
    by_hand = make(DIGITS)[0]
    spoil(by_hand, "output.weight")
    assert blame(by_hand) == ""

    def kept(*_: object) -> None:
        raise torch.OutOfMemoryError("no memory left")

    task = make(DEEP)[0]
    spoil(task, "norm1.weight")
    monkeypatch.setattr("engine.blame.Kept", kept)
    assert blame(task) == ""


def test_a_network_that_mends_missing_values_is_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    own = {"kind": "custom", "target": f"{write(tmp_path, OWN)}:Net", "args": {"way": "missing"}}
    task = make(overlay(TREE, {"data": {"kind": "spiral", "points": 20}, "model": own}))[0]
    inputs, targets = batch(task)
    inputs[3, 0] = float("nan")
    assert blame(task, inputs, targets) == ""
    spoil(task, "out.weight")
    assert blame(task, inputs, targets) == "model.out (Linear)"

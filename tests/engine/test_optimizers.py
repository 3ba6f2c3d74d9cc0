"""Each optimizer does what torch's does, decays what it should, and follows the learning rate."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from engine.optimizers import build_optimizers, hidden_matrices, lean_step, load_state, set_lr
from engine.schema.fields import known_kinds
from engine.schema.optimizer import Optimizer
from tests.pretended import pretend

REFERENCES: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adagrad": lambda p: torch.optim.Adagrad(p, 0.1, weight_decay=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 0.1, weight_decay=0.01, momentum=0.5),
    "adam": lambda p: torch.optim.Adam(p, 0.1, weight_decay=0.01, amsgrad=True),
    "adamw": lambda p: torch.optim.AdamW(p, 0.1, weight_decay=0.01),
    "nadam": lambda p: torch.optim.NAdam(p, 0.1, weight_decay=0.01),
    "radam": lambda p: torch.optim.RAdam(p, 0.1, weight_decay=0.01),
}
EXTRA: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.9, "nesterov": True},
    "rmsprop": {"momentum": 0.5},
    "adam": {"amsgrad": True},
}


def schema(**tree: Any) -> Any:
    return TypeAdapter(Optimizer).validate_python(tree)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Tanh(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2))


def train(module: nn.Module, step: Callable[[], object], steps: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        for parameter in module.parameters():
            parameter.grad = None
        module(torch.randn(8, 4, generator=generator)).square().mean().backward()
        with torch.no_grad():
            step()
    return nn.utils.parameters_to_vector(module.parameters()).detach()


@pytest.mark.parametrize("kind", REFERENCES)
def test_an_update_is_that_of_torch(kind: str) -> None:
    ours, theirs = network(), network()
    built = build_optimizers(schema(kind=kind, lr=0.1, weight_decay=0.01, **EXTRA.get(kind, {})), {"model": ours})
    assert list(built) == [kind]
    reference = REFERENCES[kind](theirs.parameters())
    assert torch.allclose(train(ours, lean_step(built[kind])), train(theirs, reference.step), atol=1e-6)


def test_every_kind_of_the_schema_trains() -> None:
    for kind in known_kinds("optimizer"):
        module = network()
        before = nn.utils.parameters_to_vector(module.parameters()).detach().clone()
        optimizers = build_optimizers(schema(kind=kind), {"model": module})
        after = train(module, lambda: [lean_step(o)() for o in optimizers.values()])  # noqa: B023 - called at once
        assert torch.isfinite(after).all()
        assert (after != before).all(), kind


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw", "muon"])
def test_decay_of_weights_spares_biases_and_norms(kind: str) -> None:
    module = network()
    optimizers = build_optimizers(schema(kind=kind, weight_decay=0.5, decay="weights"), {"model": module})
    decays = {
        id(p): group["weight_decay"] for o in optimizers.values() for group in o.param_groups for p in group["params"]
    }
    assert {name: decays[id(p)] for name, p in module.named_parameters()} == {
        name: 0.5 if p.ndim == 2 else 0.0 for name, p in module.named_parameters()
    }


@pytest.mark.parametrize("kind", known_kinds("optimizer"))
def test_decay_of_all_reaches_every_parameter_once(kind: str) -> None:
    module = network()
    optimizers = build_optimizers(schema(kind=kind, weight_decay=0.5), {"model": module})
    groups = [group for optimizer in optimizers.values() for group in optimizer.param_groups]
    assert {group["weight_decay"] for group in groups} == {0.5}
    assert sorted(id(p) for group in groups for p in group["params"]) == sorted(map(id, module.parameters()))


def test_frozen_parameters_are_left_out() -> None:
    module = network()
    for parameter in module[0].parameters():
        parameter.requires_grad_(False)
    (optimizer,) = build_optimizers(schema(kind="sgd"), {"model": module}).values()
    assert len(optimizer.param_groups[0]["params"]) == len(list(module.parameters())) - 2


def test_muon_takes_hidden_matrices_and_adamw_the_rest() -> None:
    module = network()
    optimizers = build_optimizers(schema(kind="muon", lr=0.02, adamw_lr_ratio=0.1), {"model": module})
    assert list(optimizers) == ["muon", "adamw"]
    matrices = optimizers["muon"].param_groups[0]["params"]
    assert [id(p) for p in matrices] == [id(p) for p in hidden_matrices(module)]
    assert [tuple(p.shape) for p in matrices] == [(6, 4), (5, 6)]
    set_lr(optimizers.values(), 0.3)
    assert optimizers["muon"].param_groups[0]["lr"] == 0.3
    assert optimizers["adamw"].param_groups[0]["lr"] == pytest.approx(0.03)


def test_ratios_survive_a_checkpoint() -> None:
    first = build_optimizers(schema(kind="muon", adamw_lr_ratio=0.1), {"model": network()})
    second = build_optimizers(schema(kind="muon", adamw_lr_ratio=0.1), {"model": network()})
    for name, optimizer in second.items():
        optimizer.load_state_dict(copy.deepcopy(first[name].state_dict()))
    set_lr(second.values(), 1.0)
    assert second["adamw"].param_groups[0]["lr"] == pytest.approx(0.1)


def test_a_learning_rate_that_is_a_tensor_is_changed_in_place() -> None:
    module = network()
    (optimizer,) = build_optimizers(schema(kind="adam"), {"model": module}).values()
    rate = optimizer.param_groups[0]["lr"] = torch.tensor(0.1)
    set_lr([optimizer], 0.5)
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == 0.5


def test_the_fast_forms_are_used() -> None:
    for kind, form in {"sgd": "fused", "adam": "fused", "adamw": "fused", "adagrad": "fused"}.items():
        (optimizer,) = build_optimizers(schema(kind=kind), {"model": network()}).values()
        assert optimizer.defaults[form] is True
    for kind in ("rmsprop", "nadam", "radam"):
        (optimizer,) = build_optimizers(schema(kind=kind), {"model": network()}).values()
        assert optimizer.defaults["foreach"] is True


def test_dynamo_still_works_beside_it() -> None:
    module = network()
    (optimizer,) = build_optimizers(schema(kind="sgd"), {"model": module}).values()
    module(torch.ones(1, 4)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in module.parameters())


def test_a_rule_that_finds_out_late_that_it_has_no_fused_form_has_another(monkeypatch: pytest.MonkeyPatch) -> None:
    class Adagrad(torch.optim.Adagrad):
        """As in torch 2.11 on CUDA."""

        def step(self, closure: Any = None) -> None:
            if self.param_groups[0]["fused"]:
                raise RuntimeError("`fused=True` requires all the params to be floating point Tensors of a device")

    monkeypatch.setattr(torch.optim, "Adagrad", Adagrad)
    (group,) = build_optimizers(schema(kind="adagrad", lr=0.1), {"model": network()})["adagrad"].param_groups
    assert (group["foreach"], bool(group["fused"])) == (True, False)


def test_a_state_from_elsewhere_does_not_bring_its_form_along() -> None:
    there, here = network(), network()
    fused = torch.optim.Adagrad(there.parameters(), 0.1, fused=True)
    train(there, lean_step(fused), steps=2)
    foreach = torch.optim.Adagrad(here.parameters(), 0.5, foreach=True)
    load_state(foreach, copy.deepcopy(fused.state_dict()))
    (group,) = foreach.param_groups
    assert (group["lr"], group["foreach"], bool(group["fused"])) == (0.1, True, False)
    here.load_state_dict(there.state_dict())
    assert torch.allclose(train(here, lean_step(foreach)), train(there, lean_step(fused)), atol=1e-6)
    with pytest.raises(ValueError, match="different number of parameter groups"):
        load_state(foreach, {"state": {}, "param_groups": []})


def test_on_cuda_rates_are_those_that_a_captured_step_can_have(monkeypatch: pytest.MonkeyPatch) -> None:
    with pretend(monkeypatch):
        optimizer = torch.optim.SGD([nn.Parameter(torch.ones(2, device="cuda"))])
        set_lr([optimizer], 0.1)
        assert optimizer.param_groups[0]["lr"] == torch.tensor(0.1).item() != 0.1

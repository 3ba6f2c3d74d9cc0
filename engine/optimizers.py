"""Update rules from torch.optim, in their fastest form, without what they spend on hooks, profiling and dynamo."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer

from engine.schema import optimizer as schema

Groups = list[dict[str, Any]]

FORMS = {"fused", "foreach"}
"""Keys of a parameter group: how its update is carried out."""
LR_RATIO = "lr_ratio"
"""Key of a parameter group: its learning rate as a share of the task's."""
COUNTS = {"step", "mu_product"}
"""Keys of a parameter's state: one number; everything else is of the parameter's own shape."""


def build_optimizers(optimizer: schema.Optimizer, modules: dict[str, nn.Module]) -> dict[str, Optimizer]:
    """The optimizers that `optimizer` describes for all trained parameters of `modules`, by name.

    One, except for muon, which trains hidden matrices and leaves the rest to AdamW. Parameters must be on their device.
    """
    _spare_dynamo()
    parameters = [p for p in chain.from_iterable(m.parameters() for m in modules.values()) if p.requires_grad]
    if isinstance(optimizer, schema.Muon):
        return _build_muon(optimizer, parameters, modules)
    return {optimizer.kind: _BUILDERS[type(optimizer)](optimizer, _groups(optimizer, parameters))}


def set_lr(optimizers: Iterable[Optimizer], lr: float) -> None:
    """Let every parameter group learn at `lr` times its own ratio, on CUDA in float32: a captured step has no more, and
    one that is taken eagerly after a resume is to come to the same bits."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            value = lr * group.get(LR_RATIO, 1.0)
            if isinstance(group["lr"], Tensor):  # so that a captured graph sees the change
                group["lr"].fill_(value)
            else:
                group["lr"] = float(np.float32(value)) if group["params"][0].is_cuda else value


def load_state(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Take back what `state_dict` gave, but keep the form of the update: the state may come from another device, or
    another version of torch, which has forms that this one lacks.

    Raises:
        KeyError, TypeError, ValueError: it is the state of another optimizer.
    """
    ours, theirs = optimizer.param_groups, state["param_groups"]
    if len(ours) == len(theirs):
        forms = [{key: group[key] for key in FORMS & group.keys()} for group in ours]
        theirs = [{**group, **form} for group, form in zip(theirs, forms, strict=True)]
    optimizer.load_state_dict({**state, "param_groups": theirs})
    for parameter, kept in optimizer.state.items():
        for key, value in kept.items():  # fused updates read whatever lies behind a tensor that is too short
            if value is not None and key not in COUNTS and getattr(value, "shape", None) != parameter.shape:
                raise ValueError(f"{key} of a parameter is not of its shape")


def lean_step(optimizer: Optimizer) -> Callable[[], object]:
    """The optimizer's update itself, to be called under `torch.no_grad()`.

    `Optimizer.step` wraps it into hooks, a profiler range and dynamo's graph breaks, which cost a fifth of a small
    step and import dynamo, a second or two, into every run. Nothing here uses them.
    """
    update = inspect.unwrap(type(optimizer).step)
    return lambda: update(optimizer)


def _spare_dynamo() -> None:
    """Keep torch from importing dynamo, for over a second, just to exempt bookkeeping from compilation.

    The attribute is where torch keeps the exempted function once made; where torch looks elsewhere this does nothing.
    """
    for method in (Optimizer.add_param_group, Optimizer.state_dict, Optimizer.load_state_dict):
        plain = inspect.unwrap(method)
        if not hasattr(plain, "__dynamo_disable"):
            setattr(plain, "__dynamo_disable", plain)


def _groups(optimizer: schema.Optimizer, parameters: list[Parameter]) -> Groups:
    """All parameters in one group, or matrices apart from biases and norms if only weights decay."""
    if optimizer.decay == "all" or not optimizer.weight_decay:
        return [{"params": parameters}]
    groups: Groups = [
        {"params": [p for p in parameters if p.ndim >= 2]},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _sgd(o: schema.Sgd, groups: Groups) -> Optimizer:
    return torch.optim.SGD(
        groups, o.lr, momentum=o.momentum, nesterov=o.nesterov, weight_decay=o.weight_decay, fused=True
    )


def _adagrad(o: schema.Adagrad, groups: Groups) -> Optimizer:
    device = groups[0]["params"][0].device
    kind = {"fused": True} if _can_fuse(torch.optim.Adagrad, device) else {"foreach": True}
    return torch.optim.Adagrad(groups, o.lr, eps=o.eps, weight_decay=o.weight_decay, **kind)


def _rmsprop(o: schema.RmsProp, groups: Groups) -> Optimizer:
    return torch.optim.RMSprop(
        groups, o.lr, alpha=o.alpha, eps=o.eps, weight_decay=o.weight_decay, momentum=o.momentum, foreach=True
    )


def _adam(o: schema.Adam, groups: Groups) -> Optimizer:
    return torch.optim.Adam(groups, o.lr, (o.beta1, o.beta2), o.eps, o.weight_decay, amsgrad=o.amsgrad, fused=True)


def _adamw(o: schema.AdamW, groups: Groups) -> Optimizer:
    return torch.optim.AdamW(groups, o.lr, (o.beta1, o.beta2), o.eps, o.weight_decay, amsgrad=o.amsgrad, fused=True)


def _nadam(o: schema.NAdam, groups: Groups) -> Optimizer:
    return torch.optim.NAdam(groups, o.lr, (o.beta1, o.beta2), o.eps, o.weight_decay, foreach=True)


def _radam(o: schema.RAdam, groups: Groups) -> Optimizer:
    return torch.optim.RAdam(groups, o.lr, (o.beta1, o.beta2), o.eps, o.weight_decay, foreach=True)


_BUILDERS: dict[type, Callable[[Any, Groups], Optimizer]] = {
    schema.Sgd: _sgd,
    schema.Adagrad: _adagrad,
    schema.RmsProp: _rmsprop,
    schema.Adam: _adam,
    schema.AdamW: _adamw,
    schema.NAdam: _nadam,
    schema.RAdam: _radam,
}


@cache
def _can_fuse(rule: Callable[..., Optimizer], device: torch.device) -> bool:
    """Whether this version of torch has the fused update of `rule` on `device`: some find out only when they step."""
    weight = Parameter(torch.zeros(1, device=device))
    weight.grad = torch.zeros_like(weight)
    try:
        with torch.no_grad():
            lean_step(rule([weight], fused=True))()
    except (RuntimeError, NotImplementedError):
        return False
    return True


def _build_muon(o: schema.Muon, parameters: list[Parameter], modules: dict[str, nn.Module]) -> dict[str, Optimizer]:
    hidden = {id(p) for module in modules.values() for p in hidden_matrices(module)}
    matrices = [p for p in parameters if id(p) in hidden]
    rest = _groups(o, [p for p in parameters if id(p) not in hidden])
    ratio = o.adamw_lr_ratio
    optimizers: dict[str, Optimizer] = {}
    if matrices:
        optimizers["muon"] = torch.optim.Muon(matrices, o.lr, weight_decay=o.weight_decay, momentum=o.momentum)
    optimizers["adamw"] = torch.optim.AdamW(
        [{LR_RATIO: ratio, **group} for group in rest], ratio * o.lr, weight_decay=o.weight_decay, fused=True
    )
    return optimizers


def hidden_matrices(module: nn.Module) -> list[Tensor]:
    """Weights of all linear layers but the last, which makes the output."""
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    return [layer.weight for layer in layers[:-1]]

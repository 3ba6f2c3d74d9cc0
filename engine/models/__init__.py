"""Architectures, one family per file. `build_model` builds what a configuration describes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from engine.data.bundle import DataBundle
from engine.models.linear import build_linear
from engine.models.mlp import build_mlp
from engine.schema.model import Model

__all__ = ["build_model"]

_BUILDERS: dict[str, Callable[[Any, int, int], nn.Module]] = {"linear": build_linear, "mlp": build_mlp}


def build_model(model: Model, data: DataBundle) -> nn.Module:
    """The module that `model` describes, from (N, *data.input_shape) to (N, data.outputs), on the CPU.

    Weights are drawn from torch's global generator: seed it first.
    """
    fan_in = 1
    for size in data.input_shape:
        fan_in *= size
    return _BUILDERS[model.kind](model, fan_in, data.outputs)

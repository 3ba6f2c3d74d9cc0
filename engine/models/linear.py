"""One affine map."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from engine.data.bundle import DataBundle
from engine.schema import model as schema


class FlatLinear(nn.Linear):
    """An affine map of flattened samples: (N, ...) to (N, out_features)."""

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, out_features) of (N, ...) inputs with in_features numbers each."""
        return super().forward(inputs.flatten(1))


def build_linear(model: schema.Linear, data: DataBundle) -> nn.Module:
    """The module that `model` describes."""
    fan_in = prod(data.input_shape)
    weight, bias = initial_weights(model, fan_in, data.outputs)
    layer = FlatLinear(fan_in, data.outputs)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer


def initial_weights(model: schema.Linear, fan_in: int, outputs: int) -> tuple[Tensor, Tensor]:
    """Weight (outputs, fan_in) and bias (outputs,) to start from, drawn as `model.init` says.

    The hand-written task starts from the same draws, so that its curve can be laid over the module's.
    """
    weight, bias = torch.empty(outputs, fan_in), torch.empty(outputs)
    if model.init == "normal":
        return nn.init.normal_(weight, std=model.init_std), nn.init.zeros_(bias)
    bound = fan_in**-0.5  # what nn.Linear draws from
    return nn.init.uniform_(weight, -bound, bound), nn.init.uniform_(bias, -bound, bound)

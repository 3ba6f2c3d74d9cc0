"""Fully connected networks."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise
from math import prod

from torch import nn

from engine.data.bundle import DataBundle
from engine.schema.image_model import Cnn
from engine.schema.model import Mlp

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
}
NORMS: dict[str, type[nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


def build_mlp(model: Mlp, data: DataBundle) -> nn.Module:
    """The module that `model` describes: linear, norm, activation, dropout for each hidden width; then the output."""
    return nn.Sequential(fully_connected(model, data.input_shape, data.outputs))


def fully_connected(model: Mlp | Cnn, shape: tuple[int, ...], outputs: int) -> OrderedDict[str, nn.Module]:
    """All layers from samples of `shape` to the output, by name."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    widths = [prod(shape), *model.hidden]
    for place, (width_in, width) in enumerate(pairwise(widths), 1):
        layers[f"hidden{place}"] = nn.Linear(width_in, width)
        if model.norm != "none":
            layers[f"norm{place}"] = NORMS[model.norm](width)
        if model.activation != "none":
            layers[f"activation{place}"] = ACTIVATIONS[model.activation]()
        if model.dropout:
            layers[f"dropout{place}"] = nn.Dropout(model.dropout)
    layers["output"] = nn.Linear(widths[-1], outputs)
    return layers

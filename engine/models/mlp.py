"""Fully connected networks."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

from torch import nn

from engine.schema import model as schema

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
}
NORMS: dict[str, type[nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


def build_mlp(model: schema.Mlp, fan_in: int, outputs: int) -> nn.Module:
    """The module that `model` describes: linear, norm, activation, dropout for each hidden width; then the output."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    for place, (width_in, width) in enumerate(pairwise([fan_in, *model.hidden]), 1):
        layers[f"hidden{place}"] = nn.Linear(width_in, width)
        if model.norm != "none":
            layers[f"norm{place}"] = NORMS[model.norm](width)
        if model.activation != "none":
            layers[f"activation{place}"] = ACTIVATIONS[model.activation]()
        if model.dropout:
            layers[f"dropout{place}"] = nn.Dropout(model.dropout)
    layers["output"] = nn.Linear(model.hidden[-1], outputs)
    return nn.Sequential(layers)

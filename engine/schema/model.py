"""Architectures a run can train."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Annotated, Literal

from pydantic import Field

from engine.schema.base import DataFacts, Section

Width = Annotated[int, Field(ge=1, le=65536)]


class Linear(Section):
    """One affine map from the flattened input to the output."""

    kind: Literal["linear"] = "linear"
    init: Literal["default", "normal"] = Field(
        "default", description="How weights start: PyTorch's default, or normal draws with bias 0."
    )
    init_std: float = Field(0.01, gt=0, le=10, description="Standard deviation of normal initial weights.")

    def parameter_count(self, facts: DataFacts) -> int | None:
        """How many numbers training adjusts; None while the input's shape is unknown."""
        if facts.input_shape is None:
            return None
        return (prod(facts.input_shape) + 1) * facts.outputs


class Mlp(Section):
    """Fully connected layers with an activation between them."""

    kind: Literal["mlp"] = "mlp"
    hidden: list[Width] = Field([128], min_length=1, max_length=64, description="Width of each hidden layer.")
    activation: Literal["none", "relu", "tanh", "sigmoid", "gelu"] = Field(
        "relu", description="What follows each hidden layer; none leaves a chain of linear maps."
    )
    norm: Literal["none", "batch", "layer"] = Field(
        "none", description="Normalisation between each hidden layer and its activation."
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of hidden units silenced at each training step.")

    def parameter_count(self, facts: DataFacts) -> int | None:
        """How many numbers training adjusts; None while the input's shape is unknown."""
        if facts.input_shape is None:
            return None
        widths = [prod(facts.input_shape), *self.hidden, facts.outputs]
        affine = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))
        return affine + (0 if self.norm == "none" else 2 * sum(self.hidden))


Model = Annotated[Linear | Mlp, Field(discriminator="kind")]

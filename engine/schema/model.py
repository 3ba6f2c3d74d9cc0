"""Architectures a run can train. `layers` tells what they are made of without building them."""

from __future__ import annotations

from math import prod
from typing import Annotated, Literal

from pydantic import Field

from engine.schema.base import DataFacts
from engine.schema.custom import CustomModel
from engine.schema.image_model import Cnn, Dcgan
from engine.schema.layers import Layer, dense, fully_connected
from engine.schema.model_base import Activation, Dropout, ModelSection, Width
from engine.schema.text_model import Lstm, Rnn


class Linear(ModelSection):
    """One affine map from the flattened input to the output."""

    kind: Literal["linear"] = "linear"
    init: Literal["default", "normal"] = Field(
        "default", description="How weights start: PyTorch's default, or normal draws with bias 0."
    )
    init_std: float = Field(0.01, gt=0, le=10, description="Standard deviation of normal initial weights.")

    def layers(self, facts: DataFacts) -> list[Layer] | None:
        if facts.input_shape is None or facts.outputs is None:
            return None
        return [dense("model", prod(facts.input_shape), facts.outputs)]


class Mlp(ModelSection):
    """Fully connected layers with an activation between them."""

    kind: Literal["mlp"] = "mlp"
    hidden: list[Width] = Field([128], min_length=1, max_length=64, description="Width of each hidden layer.")
    activation: Activation = Field(
        "relu", description="What follows each hidden layer; none leaves a chain of linear maps."
    )
    norm: Literal["none", "batch", "layer"] = Field(
        "none", description="Normalisation between each hidden layer and its activation."
    )
    dropout: Dropout = Field(0.0, description="Share of hidden units silenced at each training step.")

    def layers(self, facts: DataFacts) -> list[Layer] | None:
        if facts.input_shape is None or facts.outputs is None:
            return None
        return fully_connected(
            facts.input_shape,
            self.hidden,
            facts.outputs,
            has_norm=self.norm != "none",
            has_activation=self.activation != "none",
            has_dropout=self.dropout > 0,
        )

    def needs_two_samples(self, facts: DataFacts) -> bool:
        return self.norm == "batch"


Model = Annotated[Linear | Mlp | Cnn | Dcgan | Lstm | Rnn | CustomModel, Field(discriminator="kind")]

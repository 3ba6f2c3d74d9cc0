"""Architectures for images."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from engine.schema.base import DataFacts
from engine.schema.dcgan_layers import dcgan_layers, doublings_of
from engine.schema.layers import Layer
from engine.schema.model_base import Activation, Dropout, ModelSection, Width


class Cnn(ModelSection):
    """Blocks of convolutions, each block halved by max pooling; then fully connected layers."""

    inputs: ClassVar = ("image",)
    tasks: ClassVar = ("regression", "binary-classification", "classification")
    kind: Literal["cnn"] = "cnn"
    channels: list[Width] = Field([10, 20], min_length=1, max_length=8, description="Maps in each block.")
    depth: list[Annotated[int, Field(ge=1, le=16)]] = Field(
        [1],
        min_length=1,
        max_length=8,
        description="Convolutions in each block: one number for all, or one each.",
    )
    kernel: int = Field(
        5, ge=1, le=15, description="Side of the convolutions' windows.", json_schema_extra={"unit": "px"}
    )
    padding: Literal["valid", "same"] = Field(
        "valid", description="same keeps a picture's size; valid takes kernel - 1 pixels off it."
    )
    hidden: list[Width] = Field([], max_length=8, description="Width of each fully connected layer before the output.")
    activation: Activation = Field("relu", description="What follows each convolution and each hidden layer.")
    norm: Literal["none", "batch"] = Field("none", description="Batch norm after each pooling and each hidden layer.")
    dropout: Dropout = Field(0.0, description="Share of hidden units silenced at each training step.")


class Dcgan(ModelSection):
    """A generator of transposed convolutions, and a discriminator that mirrors it (Radford et al., 2016)."""

    inputs: ClassVar = ("image",)
    tasks: ClassVar = ("gan",)
    kind: Literal["dcgan"] = "dcgan"
    latent: int = Field(100, ge=1, le=4096, description="Numbers of noise that one picture is made from (nz).")
    ngf: Width = Field(64, description="Maps of the generator's last hidden layer; each one before has twice as many.")
    ndf: Width = Field(64, description="Maps of the discriminator's first layer; each layer after has twice as many.")

    def layers(self, facts: DataFacts) -> list[Layer] | None:
        if facts.input_shape is None:
            return None
        channels, side = facts.input_shape[:2]
        doublings = doublings_of(side)
        return dcgan_layers(doublings, channels, self.latent, self.ngf, self.ndf) if doublings else None

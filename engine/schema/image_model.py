"""Architectures for images."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from engine.schema.base import DataFacts, reject
from engine.schema.cnn_layers import Block, block_layers, shrunk
from engine.schema.dcgan_layers import dcgan_layers, doublings_of
from engine.schema.layers import Layer, fully_connected
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

    @model_validator(mode="after")
    def _blocks_are_whole(self) -> Cnn:
        blocks, depths = len(self.channels), len(self.depth)
        if depths not in (1, blocks):
            reject(
                "depth",
                f"there are {blocks} blocks and {depths} depths: give one number for all blocks, or one for each",
            )
        if self.padding == "same" and self.kernel % 2 == 0:
            reject(
                "kernel",
                f"padding 'same' wants an odd kernel, which has a middle: set kernel to {self.kernel + 1}, "
                f"or padding to valid",
            )
        return self

    def blocks(self) -> list[Block]:
        """Its blocks, from the first on."""
        depths = self.depth * len(self.channels) if len(self.depth) == 1 else self.depth
        pairs = zip(self.channels, depths, strict=True)
        is_padded = self.padding == "same"
        return [Block(f"block{place}", *pair, self.kernel, is_padded) for place, pair in enumerate(pairs, 1)]

    def check_size(self, facts: DataFacts) -> None:
        """Each block leaves something of the pictures.

        Raises:
            PydanticCustomError: as `reject`, for a whole configuration.
        """
        if facts.input_shape is None or len(facts.input_shape) != 3:
            return
        height, width = facts.input_shape[1:]
        blocks = self.blocks()
        left = len(shrunk(blocks, facts.input_shape))
        if left == len(blocks):
            return
        what = f"pictures of {height}x{width} shrink to nothing in block {left + 1}"
        padded = [block._replace(is_padded=True) for block in blocks]
        if self.padding == "valid" and len(shrunk(padded, facts.input_shape)) == len(blocks):
            reject("model.padding", f"{what}: set padding to same, or take a smaller kernel or fewer blocks")
        reject("model.channels", f"{what}: {f'list at most {left} in channels' if left else 'take larger ones'}")

    def layers(self, facts: DataFacts) -> list[Layer] | None:
        if facts.input_shape is None or len(facts.input_shape) != 3 or facts.outputs is None:
            return None
        blocks, shape = self.blocks(), facts.input_shape
        has_norm, has_activation = self.norm == "batch", self.activation != "none"
        shapes = shrunk(blocks, shape)
        if len(shapes) < len(blocks):
            return None
        found = [
            layer
            for block, before in zip(blocks, [shape, *shapes[:-1]], strict=True)
            for layer in block_layers(block, before, has_activation, has_norm)
        ]
        has_dropout = self.dropout > 0
        return found + fully_connected(shapes[-1], self.hidden, facts.outputs, has_norm, has_activation, has_dropout)

    def needs_two_samples(self, facts: DataFacts) -> bool:
        if self.norm == "none":
            return False
        shapes = shrunk(self.blocks(), facts.input_shape) if facts.input_shape else []
        return bool(self.hidden) or any(shape[1:] == (1, 1) for shape in shapes)


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

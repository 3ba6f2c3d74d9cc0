"""What a CNN of blocks is made of, for pictures of a given size."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from engine.schema.layers import Layer, conv, same


class Block(NamedTuple):
    """Convolutions, each with its activation, and a 2x2 max pooling after them."""

    name: str
    maps: int
    depth: int
    kernel: int
    is_padded: bool
    """Whether a convolution keeps a picture's size."""

    def after_conv(self, side: int) -> int:
        """Pixels of a picture's side that a convolution leaves; below 1 where the picture was too small."""
        return side if self.is_padded else side - self.kernel + 1

    def after(self, side: int) -> int:
        """Pixels of a picture's side that are left after the pooling; 0 if nothing is."""
        for _ in range(self.depth):
            side = self.after_conv(side)
        return max(0, side // 2)


def shrunk(blocks: Sequence[Block], shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Shapes (C, H, W) of a picture of `shape` after each block, as far as it comes: all have at least one pixel."""
    shapes = []
    for block in blocks:
        shape = (block.maps, *(block.after(side) for side in shape[1:]))
        if not prod(shape):
            break
        shapes.append(shape)
    return shapes


def block_layers(block: Block, shape: tuple[int, ...], has_activation: bool, has_norm: bool) -> list[Layer]:
    """The layers of one block, for inputs of `shape` (C, H, W)."""
    found = []
    for place in range(1, block.depth + 1):
        size = block.after_conv(shape[1]), block.after_conv(shape[2])
        found.append(conv(f"{block.name}.conv{place}", shape, block.maps, block.kernel, size))
        shape = (block.maps, *size)
        if has_activation:
            found.append(same(f"{block.name}.activation{place}", shape))
    shape = (block.maps, shape[1] // 2, shape[2] // 2)
    found.append(Layer(f"{block.name}.pool", shape))
    if has_norm:
        found.append(same(f"{block.name}.norm", shape, 2 * block.maps))
    return found

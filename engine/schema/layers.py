"""What a network is made of, layer by layer, known without building it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import NamedTuple


class Layer(NamedTuple):
    """One layer of a network. Counts are for one sample."""

    name: str
    """Dotted, as in the module's own `named_modules`."""
    output_shape: tuple[int, ...]
    """Without the batch dimension."""
    parameters: int = 0
    multiply_adds: int = 0
    """Of convolutions and matrix products; what norms, activations and pooling compute is not counted."""


def dense(name: str, width_in: int, width: int) -> Layer:
    """A fully connected layer with a bias."""
    return Layer(name, (width,), (width_in + 1) * width, width_in * width)


def same(name: str, shape: tuple[int, ...], parameters: int = 0) -> Layer:
    """A layer that keeps the shape: an activation, a norm, dropout."""
    return Layer(name, shape, parameters)


def flatten(name: str, shape: tuple[int, ...]) -> Layer:
    """All numbers of a sample in one row."""
    return Layer(name, (prod(shape),))


def fully_connected(
    shape: tuple[int, ...], hidden: Sequence[int], outputs: int, has_norm: bool, has_activation: bool, has_dropout: bool
) -> list[Layer]:
    """Samples of `shape` in one row, hidden layers with what follows each of them, and the output."""
    found = [flatten("flatten", shape)]
    widths = [prod(shape), *hidden]
    for place, (width_in, width) in enumerate(pairwise(widths), 1):
        found.append(dense(f"hidden{place}", width_in, width))
        if has_norm:
            found.append(same(f"norm{place}", (width,), 2 * width))
        if has_activation:
            found.append(same(f"activation{place}", (width,)))
        if has_dropout:
            found.append(same(f"dropout{place}", (width,)))
    return [*found, dense("output", widths[-1], outputs)]


def conv(
    name: str, shape: tuple[int, ...], channels: int, kernel: int, size: tuple[int, int], bias: bool = True
) -> Layer:
    """A convolution of (C, H, W) inputs of `shape` to `channels` maps of `size` (height, width)."""
    weights = shape[0] * channels * kernel * kernel
    return Layer(name, (channels, *size), weights + bias * channels, weights * prod(size))


def recurrent(name: str, steps: int, width_in: int, width: int, gates: int = 1) -> Layer:
    """A recurrent layer as torch has them, with two biases: one weight of the input and one of the state per gate."""
    weights = gates * width * (width_in + width)
    return Layer(name, (steps, width), weights + 2 * gates * width, steps * weights)

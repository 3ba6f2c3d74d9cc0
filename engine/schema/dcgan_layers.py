"""What a DCGAN is made of, for pictures of a given side."""

from __future__ import annotations

from typing import NamedTuple

from engine.schema.layers import Layer, conv, same

SMALLEST = 4
"""Side of the first maps, from which doubling starts: so many pixels, or up to one less than twice as many."""


class Doublings(NamedTuple):
    """A side as base * 2 ** steps."""

    base: int
    steps: int

    def side(self, times: int) -> int:
        """Side of maps that were doubled so many times."""
        return self.base << times

    def width(self, narrowest: int, times: int) -> int:
        """How many maps there are after so many doublings, where the picture comes from the `narrowest` ones."""
        return narrowest << (self.steps - 1 - times)


def doublings_of(side: int) -> Doublings | None:
    """How a picture of `side` pixels grows from 4 to 7 by doubling at least once; None if it can't."""
    steps = (side // SMALLEST).bit_length() - 1
    return Doublings(side >> steps, steps) if steps >= 1 and side % (1 << steps) == 0 else None


def nearest_side(side: int) -> int:
    """The side next to `side` that a picture can have."""
    near = (side + away for distance in range(side + 2 * SMALLEST) for away in (-distance, distance))
    return next(other for other in near if other > 0 and doublings_of(other))


def dcgan_layers(doublings: Doublings, channels: int, latent: int, ngf: int, ndf: int) -> list[Layer]:
    """All layers, the generator's first."""
    return [*_generator(doublings, channels, latent, ngf), *_discriminator(doublings, channels, ndf)]


def _generator(doublings: Doublings, channels: int, latent: int, ngf: int) -> list[Layer]:
    layers, maps, side = [], latent, 1
    for times in range(doublings.steps):
        kernel = 4 if times else doublings.base
        width, new_side = doublings.width(ngf, times), doublings.side(times)
        shape = (width, new_side, new_side)
        layers += [
            _transposed(f"generator.up{times + 1}", (maps, side, side), shape, kernel),
            same(f"generator.norm{times + 1}", shape, 2 * width),
            same(f"generator.activation{times + 1}", shape),
        ]
        maps, side = width, new_side
    shape = (channels, 2 * side, 2 * side)
    return [*layers, _transposed("generator.output", (maps, side, side), shape, 4), same("generator.tanh", shape)]


def _discriminator(doublings: Doublings, channels: int, ndf: int) -> list[Layer]:
    layers = []
    shape = (channels, doublings.side(doublings.steps), doublings.side(doublings.steps))
    for place in range(1, doublings.steps + 1):
        times = doublings.steps - place
        width, side = doublings.width(ndf, times), doublings.side(times)
        layers.append(conv(f"discriminator.down{place}", shape, width, 4, (side, side), bias=False))
        shape = (width, side, side)
        if place > 1:
            layers.append(same(f"discriminator.norm{place}", shape, 2 * width))
        layers.append(same(f"discriminator.activation{place}", shape))
    return [*layers, conv("discriminator.output", shape, 1, doublings.base, (1, 1), bias=False)]


def _transposed(name: str, shape: tuple[int, int, int], to: tuple[int, int, int], kernel: int) -> Layer:
    """A transposed convolution of (C, H, W) inputs of `shape`, without a bias."""
    weights = shape[0] * to[0] * kernel * kernel
    return Layer(name, to, weights, weights * shape[1] * shape[2])

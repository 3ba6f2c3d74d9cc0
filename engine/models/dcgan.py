"""Deep convolutional GANs (Radford, Metz and Chintala, 2016: Unsupervised Representation Learning with Deep
Convolutional Generative Adversarial Networks)."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from torch import nn

from engine.data.bundle import DataError
from engine.schema import image_model as schema
from engine.schema.dcgan_layers import Doublings, doublings_of

SLOPE = 0.2
"""Of LeakyReLU, left of 0."""
SPREAD = 0.02
"""Standard deviation of all weights at the start."""


class GanPair(NamedTuple):
    """Two networks that learn from each other, on the CPU."""

    generator: nn.Module
    """(N, latent, 1, 1) normal noise to (N, C, side, side) pictures, from -1 to 1."""
    discriminator: nn.Module
    """(N, C, side, side) to (N, 1, 1, 1) logits that a picture is real."""


def build_dcgan(model: schema.Dcgan, shape: tuple[int, ...]) -> GanPair:
    """The two networks for pictures of `shape` (channels, side, side).

    Weights are drawn from torch's global generator: seed it first.

    Raises:
        DataError: no such pictures can be made.
    """
    doublings = doublings_of(shape[1]) if len(shape) == 3 and shape[1] == shape[2] else None
    if doublings is None:
        raise DataError(
            f"model 'dcgan' makes square pictures whose side is 4 to 7 doubled at least once, such as 28, 32 or 64; "
            f"samples here are {' x '.join(map(str, shape))}: bring them to such a size"
        )
    pair = GanPair(
        _generator(doublings, shape[0], model.latent, model.ngf), _discriminator(doublings, shape[0], model.ndf)
    )
    for network in pair:
        network.apply(_start)
    return pair


def _generator(doublings: Doublings, channels: int, latent: int, ngf: int) -> nn.Module:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    maps = latent
    for times in range(doublings.steps):
        width, name = doublings.width(ngf, times), times + 1
        layers[f"up{name}"] = _grow(maps, width) if times else _unfold(maps, width, doublings.base)
        layers[f"norm{name}"] = nn.BatchNorm2d(width)
        layers[f"activation{name}"] = nn.ReLU(inplace=True)
        maps = width
    layers["output"] = _grow(maps, channels)
    layers["tanh"] = nn.Tanh()
    return nn.Sequential(layers)


def _discriminator(doublings: Doublings, channels: int, ndf: int) -> nn.Module:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    maps = channels
    for place in range(1, doublings.steps + 1):
        width = doublings.width(ndf, doublings.steps - place)
        layers[f"down{place}"] = nn.Conv2d(maps, width, 4, stride=2, padding=1, bias=False)
        if place > 1:
            layers[f"norm{place}"] = nn.BatchNorm2d(width)
        layers[f"activation{place}"] = nn.LeakyReLU(SLOPE, inplace=True)
        maps = width
    layers["output"] = nn.Conv2d(maps, 1, doublings.base, bias=False)
    return nn.Sequential(layers)


def _unfold(maps: int, width: int, side: int) -> nn.Module:
    """From one pixel to maps of `side`."""
    return nn.ConvTranspose2d(maps, width, side, bias=False)


def _grow(maps: int, width: int) -> nn.Module:
    """To maps of twice the side."""
    return nn.ConvTranspose2d(maps, width, 4, stride=2, padding=1, bias=False)


def _start(layer: nn.Module) -> None:
    """Weights N(0, 0.02), those of norms N(1, 0.02)."""
    if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(layer.weight, 0.0, SPREAD)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, SPREAD)

"""The two networks of a DCGAN: published shapes, a count that is exact, and a known start."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.data.bundle import DataError
from engine.models.dcgan import GanPair, build_dcgan
from engine.schema import ConfigError, DataFacts, validate
from engine.schema.dcgan_layers import doublings_of, nearest_side
from engine.schema.image_model import Dcgan
from engine.schema.layers import Layer

SHAPES = [(3, 64, 64), (1, 28, 28), (3, 32, 32), (1, 8, 8), (2, 20, 20), (3, 48, 48)]


def facts(shape: tuple[int, int, int]) -> DataFacts:
    return DataFacts("image", shape, "classes", 10, 100, None)


def layers_that_ran(pair: GanPair, latent: int) -> list[Layer]:
    """What forward hooks see, for one sample, in the order of the forward pass."""
    ran: list[Layer] = []

    def note(name: str, layer: nn.Module, inputs: Tensor, output: Tensor) -> None:
        count = sum(parameter.numel() for parameter in layer.parameters())
        work = 0
        if isinstance(layer, nn.Conv2d):
            work = layer.weight.numel() * output[0, 0].numel()
        elif isinstance(layer, nn.ConvTranspose2d):
            work = layer.weight.numel() * inputs[0, 0].numel()
        ran.append(Layer(name, tuple(output.shape[1:]), count, work))

    for which, network in pair._asdict().items():
        for name, layer in network.named_children():
            layer.register_forward_hook(
                lambda layer, inputs, output, name=f"{which}.{name}": note(name, layer, inputs[0], output)
            )
    pair.discriminator(pair.generator(torch.randn(2, latent, 1, 1)))
    return ran


@pytest.mark.parametrize("shape", SHAPES)
def test_layers_are_those_that_run(shape: tuple[int, int, int]) -> None:
    model = Dcgan(latent=7, ngf=4, ndf=6)
    assert layers_that_ran(build_dcgan(model, shape), 7) == model.layers(facts(shape))


def test_at_64_pixels_it_is_the_published_architecture() -> None:
    pair = build_dcgan(Dcgan(), (3, 64, 64))
    counts = [sum(parameter.numel() for parameter in network.parameters()) for network in pair]
    assert counts == [3_576_704, 2_765_568]
    kinds = [[type(layer).__name__ for layer in network] for network in pair]  # type: ignore[attr-defined]
    up, down = ["ConvTranspose2d", "BatchNorm2d", "ReLU"], ["Conv2d", "BatchNorm2d", "LeakyReLU"]
    assert kinds == [[*4 * up, "ConvTranspose2d", "Tanh"], ["Conv2d", "LeakyReLU", *3 * down, "Conv2d"]]
    maps = [layer.out_channels for layer in pair.generator if isinstance(layer, nn.ConvTranspose2d)]  # type: ignore[attr-defined]
    assert maps == [512, 256, 128, 64, 3]


def test_weights_start_at_a_spread_of_a_fiftieth() -> None:
    torch.manual_seed(0)
    for network in build_dcgan(Dcgan(), (1, 28, 28)):
        for layer in network.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                assert layer.bias is None
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)
            elif isinstance(layer, nn.BatchNorm2d):
                assert layer.weight.mean().item() == pytest.approx(1, abs=0.01)
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.3)
                assert not layer.bias.any()
            elif isinstance(layer, nn.LeakyReLU):
                assert layer.negative_slope == 0.2


def test_pictures_lie_between_the_ends_of_tanh() -> None:
    pair = build_dcgan(Dcgan(latent=5, ngf=3, ndf=3), (3, 20, 20))
    made = pair.generator(100 * torch.randn(4, 5, 1, 1))
    assert made.shape == (4, 3, 20, 20) and made.abs().max() <= 1
    assert pair.discriminator(made).shape == (4, 1, 1, 1)


def test_sides_are_4_to_7_doubled_at_least_once() -> None:
    fitting = {base << times for base in (4, 5, 6, 7) for times in range(1, 9)}
    assert {side for side in range(1, 1025) if doublings_of(side)} == {side for side in fitting if side <= 1024}
    assert all(doublings_of(side).side(doublings_of(side).steps) == side for side in fitting)  # type: ignore[union-attr]
    assert [nearest_side(side) for side in (1, 4, 30, 50, 64, 1000)] == [8, 8, 28, 48, 64, 1024]


@pytest.mark.parametrize("shape", [(3, 50, 50), (1, 28, 32), (1, 4, 4), (784,)])
def test_other_shapes_are_refused_when_the_data_is_there(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"dcgan.*samples here are"):
        build_dcgan(Dcgan(), shape)


GAN: dict[str, Any] = {
    "task": {"kind": "gan"},
    "data": {"kind": "image-folder", "path": "faces"},
    "model": {"kind": "dcgan"},
    "optimizer": {"kind": "adam"},
}


def test_a_side_that_cannot_be_is_refused_with_the_nearest_that_can() -> None:
    validate(GAN)
    with pytest.raises(ConfigError, match=r"data\.size: .* never gives 50: set size to 48"):
        validate({**GAN, "data": {**GAN["data"], "size": 50}})


def test_muon_has_nothing_to_train_here() -> None:
    with pytest.raises(ConfigError, match=r"optimizer\.kind: .*choose adam"):
        validate({**GAN, "optimizer": {"kind": "muon"}})

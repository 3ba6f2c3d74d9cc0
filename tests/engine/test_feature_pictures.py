"""Galleries of what convolutions find, of shipped networks and of anybody's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.data.bundle import DataBundle, Split
from engine.figures import Figure
from engine.schema import overlay
from engine.tasks.feature_pictures import features_figure
from engine.tasks.pixels import LARGEST_SIDE, bytes_of
from tests.engine.test_tasks import make

DIGITS: dict[str, Any] = {
    "data": {"kind": "digits"},
    "model": {"kind": "cnn", "channels": [4, 6], "depth": [2, 1], "kernel": 3, "padding": "same"},
}


def pictures(channels: int = 1, side: int = 8, rows: int = 4, names: tuple[str, ...] = ("cat", "dog")) -> DataBundle:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randint(0, 256, (rows, channels, side, side), generator=generator, dtype=torch.uint8)
    split = Split(inputs, torch.arange(rows) % 2)
    return DataBundle(split, None, (channels, side, side), 2, names)


def features(model: nn.Module, data: DataBundle) -> dict[str, np.ndarray]:
    """Groups of the figure by their titles."""
    with torch.no_grad():
        return groups(features_figure(data, model.eval(), data.train))


def groups(figure: Figure | None) -> dict[str, np.ndarray]:
    assert figure is not None and figure.kind == "gallery" and figure.name == "features"
    titles = figure.arrays["titles"].tolist()
    assert set(figure.arrays) == {"titles", *(f"images_{place}" for place in range(len(titles)))}
    return {title: figure.arrays[f"images_{place}"] for place, title in enumerate(titles)}


def test_a_digit_its_filters_and_the_last_maps_of_each_size_are_shown() -> None:
    task, data, _ = make(DIGITS)
    assert data.val is not None
    figures = task.figures(data.val)
    assert [figure.name for figure in figures] == ["features", "mistakes", "matrix"]
    shown = groups(figures[0])
    name = data.class_names[int(data.val.targets[0])]
    assert list(shown) == [
        f"input: {'an' if name == '8' else 'a'} {name}",
        "filters of block1.conv1",
        "maps of block1.conv2, 8x8",
        "maps of block2.conv1, 4x4",
    ]
    assert [images.shape for images in shown.values()] == [(1, 8, 8), (4, 3, 3), (4, 8, 8), (6, 4, 4)]
    assert [images.dtype for images in shown.values()] == [np.uint8, np.float32, np.uint8, np.uint8]
    digit, filters, *_ = shown.values()
    np.testing.assert_array_equal(digit[0], (data.val.inputs[0, 0] * 255).round())
    weight = task.modules["model"].get_parameter("block1.conv1.weight").detach()
    np.testing.assert_array_equal(filters, weight[:, 0])


def test_maps_are_what_the_activation_leaves_of_the_convolution() -> None:
    task, data, _ = make(DIGITS)
    assert data.val is not None
    model = task.modules["model"].eval()
    block = model.get_submodule("block1")
    with torch.no_grad():
        wanted = torch.nn.Sequential(*list(block.children())[:4])(data.prepare(data.val.inputs[:1]))[0]
    maps = groups(task.figures(data.val)[0])["maps of block1.conv2, 8x8"]
    white = wanted[wanted > 0].quantile(0.99)
    np.testing.assert_allclose(maps, ((wanted / white).clamp(0, 1).sqrt() * 255).floor(), atol=1)
    assert maps.max() == 255


def test_the_same_picture_is_shown_all_through_a_run() -> None:
    task, data, _ = make(DIGITS)
    assert data.val is not None
    before = groups(task.figures(data.val)[0])
    for _ in range(3):
        task.train_step(data.train.inputs[:64], data.train.targets[:64])
    after = groups(task.figures(data.val)[0])
    assert list(before) == list(after)
    first, filters, *_ = before
    np.testing.assert_array_equal(before[first], after[first])
    assert (before[filters] != after[filters]).all()


def test_drawing_leaves_norms_modes_and_hooks_as_they_were() -> None:
    task, data, _ = make(overlay(DIGITS, {"model": {"norm": "batch", "hidden": [5], "dropout": 0.5}}))
    model = task.modules["model"].train()
    state, random = {key: value.clone() for key, value in model.state_dict().items()}, torch.get_rng_state()
    task.figures(data.train)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert all(module.training and not module._forward_hooks for module in model.modules())


def test_filters_of_colour_pictures_are_in_colour_and_grey_where_they_are_zero() -> None:
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 36, 2))
    with torch.no_grad():
        weight = model.get_parameter("0.weight").fill_(0)
        weight[0, :, 0, 0] = torch.tensor([2.0, -2.0, 1.0])
    shown = features(model, pictures(3))
    assert shown["filters of 0"].shape == (5, 3, 3, 3)
    assert shown["filters of 0"][0, 0, 0].tolist() == [255, 0, 191]
    assert (shown["filters of 0"][1:] == 128).all()
    assert shown["input: cat"].shape == (1, 8, 8, 3)


class Odd(nn.Module):
    """A network of somebody's own: its activation is a function, and a batch of one it takes for none at all."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 3, 3)
        self.second = nn.Conv2d(3, 80, 3, stride=2)
        self.unused = nn.Conv2d(1, 1, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        found = torch.relu(self.second(torch.relu(self.first(inputs)))).squeeze()
        return found.mean((2, 3))[:, :2]


def test_networks_of_ones_own_show_what_their_convolutions_give() -> None:
    shown = features(Odd(), pictures(2))
    assert list(shown) == ["input: cat", "filters of first", "maps of first, 6x6", "maps of second, 2x2"]
    assert shown["filters of first"].shape == (3, 3, 3)
    assert shown["maps of first, 6x6"].dtype == np.float32  # before their relu: signs tell
    assert (shown["maps of first, 6x6"] < 0).any()
    assert len(shown["maps of second, 2x2"]) == 64


def test_of_many_sizes_first_middle_and_last_are_shown() -> None:
    layers = [nn.Conv2d(1, 1, 3) for _ in range(5)]
    shown = features(nn.Sequential(*layers, nn.Flatten(), nn.Linear(36, 2)), pictures(1, 16))
    assert [title for title in shown if "maps" in title] == [
        "maps of 0, 14x14",
        "maps of 2, 10x10",
        "maps of 4, 6x6",
    ]


def test_large_pictures_are_shrunk() -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    shown = features(model, pictures(3, 150))
    assert shown["input: cat"].shape == (1, 50, 50, 3)
    assert shown["maps of 0, 150x150"].shape == (2, 50, 50)
    assert max(side for images in shown.values() for side in images.shape[1:3]) <= LARGEST_SIDE


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
def test_weights_that_are_no_numbers_or_nothing_are_drawn_all_the_same(value: float) -> None:
    for channels in (1, 3):
        model = nn.Sequential(nn.Conv2d(channels, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 2))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(value)
        assert len(features(model, pictures(channels))) == 3


def test_what_has_no_convolutions_or_is_no_picture_has_no_features() -> None:
    data = pictures()
    assert features_figure(data, nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), data.train) is None
    rows = DataBundle(Split(torch.rand(4, 8), torch.zeros(4, 1)), None, (8,), 1)
    assert features_figure(rows, nn.Sequential(nn.Conv2d(1, 1, 1)), rows.train) is None


def test_numbers_become_bytes_from_black_to_white() -> None:
    assert bytes_of(torch.tensor([[[[0.0, 0.5, 1.0]]]])).tolist() == [[[0, 128, 255]]]
    assert bytes_of(torch.tensor([[[[-1.0, 0.0, 4.0]]]])).tolist() == [[[0, 51, 255]]]
    colors = torch.arange(12, dtype=torch.uint8).reshape(1, 3, 2, 2)
    assert bytes_of(colors)[0, 0, 1].tolist() == [1, 5, 9]
    assert bytes_of(torch.empty(0, 1, 4, 4)).shape == (0, 4, 4)

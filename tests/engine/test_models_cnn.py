"""CNNs are made of what their configuration says, and are known without being built."""

from __future__ import annotations

from math import prod
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from engine.data.bundle import DataBundle, DataError, Split
from engine.models import build_model
from engine.schema import ConfigError, DataFacts, overlay, validate
from engine.schema.image_model import Cnn
from engine.schema.layers import Layer
from engine.schema.model import Mlp
from engine.tasks import build_task
from presets import load_preset

MNIST, CIFAR10 = (1, 28, 28), (3, 32, 32)
DIGITS: dict[str, Any] = {
    "data": {"kind": "digits"},
    "model": {"kind": "cnn", "channels": [4], "kernel": 3, "padding": "same"},
}


def built(model: Any, shape: tuple[int, ...], outputs: int) -> nn.Module:
    return build_model(model, DataBundle(Split(torch.rand(2, *shape), torch.zeros(2)), None, shape, outputs))


def told(model: Any, shape: tuple[int, ...], outputs: int) -> list[Layer]:
    layers = model.layers(DataFacts("image", shape, "classes", outputs, 6, None))
    assert layers is not None
    return list(layers)


def seen(module: nn.Module, shape: tuple[int, ...]) -> list[Layer]:
    """What a forward pass of one picture runs through, with multiplications counted from weights and outputs."""
    names = {leaf: name for name, leaf in module.named_modules() if not list(leaf.children())}
    found: list[Layer] = []

    def note(leaf: nn.Module, _: Any, output: Tensor) -> None:
        parameters = sum(p.numel() for p in leaf.parameters())
        places = prod(output.shape[2:])  # a convolution's weights are used at each of them
        weight = leaf.weight if isinstance(leaf, (nn.Conv2d, nn.Linear)) else None
        products = 0 if weight is None else weight.numel() * places
        found.append(Layer(names[leaf], tuple(output.shape[1:]), parameters, products))

    for leaf in names:
        leaf.register_forward_hook(note)
    module.eval()(torch.rand(1, *shape))
    return found


@st.composite
def networks(draw: st.DrawFn) -> tuple[Cnn, tuple[int, ...], int]:
    """A CNN, a shape of pictures that it leaves something of, and a number of outputs."""
    blocks = draw(st.integers(1, 3))
    depth = st.lists(st.integers(1, 2), min_size=blocks, max_size=blocks)
    padding = draw(st.sampled_from(["valid", "same"]))
    model = Cnn(
        channels=draw(st.lists(st.integers(1, 5), min_size=blocks, max_size=blocks)),
        depth=draw(st.one_of(depth, st.lists(st.integers(1, 2), min_size=1, max_size=1))),
        kernel=draw(st.sampled_from([1, 3, 5] if padding == "same" else [1, 2, 3])),
        padding=padding,
        hidden=draw(st.lists(st.integers(1, 7), max_size=2)),
        activation=draw(st.sampled_from(["none", "relu", "tanh"])),
        norm=draw(st.sampled_from(["none", "batch"])),
        dropout=draw(st.sampled_from([0.0, 0.5])),
    )
    shape = (draw(st.sampled_from([1, 3])), draw(st.integers(38, 48)), draw(st.integers(38, 48)))
    return model, shape, draw(st.integers(1, 4))


@settings(max_examples=40)
@given(networks())
def test_layers_are_those_that_a_forward_pass_runs_through(case: tuple[Cnn, tuple[int, ...], int]) -> None:
    model, shape, outputs = case
    module = built(model, shape, outputs)
    assert told(model, shape, outputs) == seen(module, shape)
    facts = DataFacts("image", shape, "classes", outputs, 6, None)
    assert model.parameter_count(facts) == sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("preset", "shape", "parameters", "multiply_adds"),
    [
        # by hand: weights and biases of each layer; weights times places they are used at
        ("mnist-cnn", MNIST, 8_490, 467_200),
        ("cifar10-cnn", CIFAR10, 3_902_282, 192_677_120),
    ],
)
def test_the_presets_are_as_large_as_they_are_known_to_be(
    preset: str, shape: tuple[int, ...], parameters: int, multiply_adds: int
) -> None:
    model = load_preset(preset).config.model
    layers = told(model, shape, 10)
    assert layers == seen(built(model, shape, 10), shape)
    assert sum(layer.parameters for layer in layers) == parameters
    assert sum(layer.multiply_adds for layer in layers) == multiply_adds


def test_layers_have_the_names_that_pictures_and_tables_use() -> None:
    model = Cnn(channels=[2, 3], depth=[1, 2], kernel=3, hidden=[4], norm="batch", dropout=0.5)
    assert [layer.name for layer in told(model, MNIST, 10)] == [
        *("block1.conv1", "block1.activation1", "block1.pool", "block1.norm"),
        *("block2.conv1", "block2.activation1", "block2.conv2", "block2.activation2", "block2.pool", "block2.norm"),
        *("flatten", "hidden1", "norm1", "activation1", "dropout1", "output"),
    ]


def test_padding_keeps_the_size_and_pooling_halves_it() -> None:
    shapes = {layer.name: layer.output_shape for layer in told(Cnn(channels=[4], padding="same"), (1, 9, 8), 2)}
    assert shapes["block1.conv1"] == (4, 9, 8)
    assert shapes["block1.pool"] == (4, 4, 4)


def test_a_memory_layout_does_not_change_what_is_computed() -> None:
    model = Cnn(channels=[4, 6], kernel=3, padding="same", hidden=[5])
    module = built(model, CIFAR10, 3)
    pictures = torch.rand(4, *CIFAR10)
    ours = module(pictures)
    assert module.get_parameter("block2.conv1.weight").is_contiguous(memory_format=torch.channels_last)
    theirs = module.to(memory_format=torch.contiguous_format)(pictures)
    torch.testing.assert_close(ours, theirs)


def problem(**changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        validate(overlay(DIGITS, changes))
    (only,) = caught.value.problems
    return str(only)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"channels": [1, 2, 3], "depth": [1, 2]}, "model.depth: there are 3 blocks and 2 depths: give one number"),
        ({"kernel": 4}, "model.kernel: padding 'same' wants an odd kernel, which has a middle: set kernel to 5"),
        (
            {"channels": [8, 8], "kernel": 5, "padding": "valid"},
            "model.padding: pictures of 8x8 shrink to nothing in block 2: set padding to same",
        ),
        ({"channels": [8] * 4}, "model.channels: pictures of 8x8 shrink to nothing in block 4: list at most 3"),
        (
            {"channels": [8] * 8, "padding": "valid"},
            "model.channels: pictures of 8x8 shrink to nothing in block 2: list at most 1",
        ),
    ],
)
def test_a_network_that_cannot_be_is_refused_with_a_mend(model: dict[str, Any], expected: str) -> None:
    assert problem(model=model).startswith(expected)


def test_the_mend_mends() -> None:
    assert validate(overlay(DIGITS, {"model": {"channels": [8, 8], "kernel": 5}}))
    assert validate(overlay(DIGITS, {"model": {"channels": [8] * 3}}))
    assert validate(overlay(DIGITS, {"model": {"kernel": 4, "padding": "valid"}}))


@pytest.mark.parametrize(
    ("model", "needs"),
    [
        (Cnn(channels=[4], kernel=3, norm="batch"), False),
        (Cnn(channels=[4], kernel=3, norm="batch", hidden=[3]), True),
        (Cnn(channels=[4], kernel=3, hidden=[3]), False),
        (Cnn(channels=[4, 4, 4], kernel=3, padding="same", norm="batch"), True),
        (Mlp(norm="batch"), True),
        (Mlp(norm="layer"), False),
    ],
)
def test_batch_norm_over_single_numbers_is_known_to_need_two_samples(model: Any, needs: bool) -> None:
    shape = (1, 8, 8)
    assert model.needs_two_samples(DataFacts("image", shape, "classes", 10, 6, None)) is needs
    module = built(model, shape, 10).train()
    if needs:
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            module(torch.rand(1, *shape))
    assert module(torch.rand(2 if needs else 1, *shape)).shape[1] == 10


def test_a_last_batch_of_one_sample_is_refused_where_it_could_not_be_trained() -> None:
    assert problem(model={"hidden": [3], "norm": "batch"}, trainer={"batch_size": 4}) == (
        "trainer.batch_size: the last batch of 1,437 rows in batches of 4 is 1 sample, and batch norm needs 2: "
        "set batch_size to 5"
    )
    assert problem(model={"hidden": [3], "norm": "batch"}, trainer={"batch_size": 1}) == (
        "trainer.batch_size: each batch is 1 sample, and batch norm needs 2: set batch_size to 3"
    )
    for batch_size in (5, 1436, "full", 2000):
        over = {"model": {"hidden": [3], "norm": "batch"}, "trainer": {"batch_size": batch_size}}
        assert (batch_size == 1436) is not bool(_validates(over))
    assert _validates({"model": {"hidden": [3]}, "trainer": {"batch_size": 4}})


@pytest.mark.parametrize(
    ("model", "batch_size", "expected"),
    [
        (
            {"hidden": [3], "norm": "batch"},
            4,
            "trainer.batch_size: the last batch of 5 rows in batches of 4 is 1",
        ),
        ({"channels": [8, 8], "kernel": 5, "padding": "valid"}, 2, "model.padding: pictures of 8x8 shrink to nothing"),
    ],
)
def test_what_is_known_only_of_loaded_data_is_refused_before_training(
    model: dict[str, Any], batch_size: int, expected: str
) -> None:
    own = {"data": {"kind": "custom", "target": "mine.py:load"}, "model": model, "trainer": {"batch_size": batch_size}}
    config = validate(overlay(DIGITS, own))
    split = Split(torch.rand(5, 1, 8, 8), torch.zeros(5, dtype=torch.int64))
    with pytest.raises(DataError) as caught:
        build_task(config, DataBundle(split, None, (1, 8, 8), 2, ("a", "b")), torch.device("cpu"))
    assert str(caught.value).startswith(expected)


def _validates(over: dict[str, Any]) -> bool:
    try:
        return bool(validate(overlay(DIGITS, over)))
    except ConfigError:
        return False

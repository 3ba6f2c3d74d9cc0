"""Models have the shape, the size and the start that their configuration promises."""

from __future__ import annotations

from math import prod
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from torch import nn

from engine.data.bundle import DataBundle, Split
from engine.models import build_model
from engine.schema import DataFacts
from engine.schema.model import Linear, Mlp, Model

MODELS = st.one_of(
    st.builds(Linear, init=st.sampled_from(["default", "normal"])),
    st.builds(
        Mlp,
        hidden=st.lists(st.integers(1, 9), min_size=1, max_size=4),
        activation=st.sampled_from(["none", "relu", "tanh", "sigmoid", "gelu"]),
        norm=st.sampled_from(["none", "batch", "layer"]),
        dropout=st.sampled_from([0.0, 0.5]),
    ),
)
SHAPES = st.sampled_from([(1,), (7,), (1, 4, 4), (3, 2, 5)])


def bundle(shape: tuple[int, ...], outputs: int, rows: int = 6) -> DataBundle:
    return DataBundle(Split(torch.rand(rows, *shape), torch.zeros(rows, outputs)), None, shape, outputs)


@settings(max_examples=80)
@given(model=MODELS, shape=SHAPES, outputs=st.integers(1, 11))
def test_the_form_counts_the_parameters_the_module_has(model: Any, shape: tuple[int, ...], outputs: int) -> None:
    module = build_model(model, bundle(shape, outputs))
    facts = DataFacts("features", shape, "numbers", outputs, 6, None)
    assert sum(p.numel() for p in module.parameters()) == model.parameter_count(facts)
    assert module(torch.rand(5, *shape)).shape == (5, outputs)


def built(tree: dict[str, Any], shape: tuple[int, ...] = (3,), outputs: int = 2) -> nn.Module:
    return build_model(TypeAdapter(Model).validate_python(tree), bundle(shape, outputs))


def test_an_mlp_is_linear_norm_activation_dropout_for_each_width_and_an_output() -> None:
    module = built({"kind": "mlp", "hidden": [5, 4], "norm": "batch", "dropout": 0.2, "activation": "tanh"})
    block = [nn.Linear, nn.BatchNorm1d, nn.Tanh, nn.Dropout]
    assert [type(layer) for layer in module.children()] == [nn.Flatten, *block, *block, nn.Linear]


def test_without_activation_an_mlp_is_a_linear_map() -> None:
    module = built({"kind": "mlp", "hidden": [5, 4], "activation": "none"}).double()
    x, y = torch.rand(2, 4, 3, dtype=torch.float64)
    assert torch.allclose(module(x) + module(y), module(x + y) + module(torch.zeros_like(x)))


def test_weights_start_as_asked() -> None:
    torch.manual_seed(0)
    layer = built({"kind": "linear", "init": "normal", "init_std": 0.01}, (28, 28), 10)
    weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
    assert weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert bias.abs().max().item() == 0
    default = built({"kind": "linear"}, (100,), 50)
    for parameter in default.parameters():
        assert parameter.abs().max().item() <= 0.1
        assert parameter.std().item() == pytest.approx(0.1 / 3**0.5, rel=0.3)
    reference = nn.Linear(100, 50)
    assert default.get_parameter("weight").std().item() == pytest.approx(reference.weight.std().item(), rel=0.05)


def test_the_seed_decides_the_start() -> None:
    def start(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(built({"kind": "mlp", "hidden": [8]}).parameters())

    assert torch.equal(start(1), start(1))
    assert not torch.equal(start(1), start(2))


def test_images_are_flattened() -> None:
    module = built({"kind": "linear"}, (1, 4, 4))
    images = torch.rand(2, 1, 4, 4)
    weight, bias = module.get_parameter("weight"), module.get_parameter("bias")
    assert weight.shape == (2, prod((1, 4, 4)))
    assert torch.allclose(module(images), images.reshape(2, 16) @ weight.T + bias, atol=1e-6)

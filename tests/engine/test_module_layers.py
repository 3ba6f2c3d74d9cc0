"""Layers as seen in a module that runs are those that the configuration counts without it."""

from __future__ import annotations

import json
import subprocess
import sys
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from engine.layer_probe import probe
from engine.models import build_model
from engine.module_layers import module_layers
from engine.schema import DataFacts
from engine.schema.layers import Layer
from engine.schema.model import Model
from tests.engine.test_models import bundle
from tests.engine.user_code import NET, custom, write


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run puts on the path is gone with its test."""
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.mark.parametrize(
    "tree",
    [
        {"kind": "linear"},
        {"kind": "mlp", "hidden": [5], "activation": "none"},
        {"kind": "mlp", "hidden": [5, 7], "norm": "layer", "dropout": 0.5},
    ],
)
@pytest.mark.parametrize("shape", [(3,), (2, 4, 4)])
def test_what_is_counted_is_what_is_built(tree: dict[str, Any], shape: tuple[int, ...]) -> None:
    model = TypeAdapter(Model).validate_python(tree)
    module = build_model(model, bundle(shape, 2))
    facts = DataFacts("features", shape, "numbers", 2, 6, None)
    assert module_layers(module, torch.rand(2, *shape)) == model.layers(facts)


class Everything(nn.Module):
    """Layers of many kinds, one of them used twice, one never."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 8, 3, padding=1, groups=2)
        self.grow = nn.ConvTranspose2d(8, 4, 2, 2)
        self.twice = nn.Conv2d(4, 4, 1, bias=False)
        self.lstm = nn.LSTM(8, 16, 2, bidirectional=True, batch_first=True)
        self.tied = nn.Linear(32, 32)
        self.tied_too = nn.Linear(32, 32)
        self.tied_too.weight = self.tied.weight
        self.unused = nn.Linear(3, 3)
        self.mix = nn.Parameter(torch.rand(32, 10))
        self.frozen = nn.Parameter(torch.rand(99), requires_grad=False)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        maps = self.conv(pictures)
        self.twice(self.twice(self.grow(maps)))
        states, _ = self.lstm(maps.mean(3).permute(0, 2, 1))
        result: torch.Tensor = self.tied_too(self.tied(states))[:, -1] @ self.mix
        return result


def test_every_multiplication_and_every_parameter_is_counted_once() -> None:
    module = Everything()
    layers = {layer.name: layer for layer in module_layers(module, torch.rand(2, 4, 6, 6))}
    assert list(layers) == ["conv", "grow", "twice", "lstm", "tied", "tied_too", "model", "unused"]
    assert layers["conv"] == Layer("conv", (8, 6, 6), 8 * 2 * 9 + 8, 8 * 2 * 9 * 36)
    assert layers["grow"] == Layer("grow", (4, 12, 12), 8 * 4 * 4 + 4, 8 * 4 * 4 * 36)
    assert layers["twice"] == Layer("twice", (4, 12, 12), 16, 2 * 16 * 144)
    weights = 2 * 64 * (8 + 16) + 2 * 64 * (32 + 16)
    assert layers["lstm"] == Layer("lstm", (6, 32), weights + 8 * 64, 6 * weights)
    assert layers["tied"] == Layer("tied", (6, 32), 32 * 32 + 32, 6 * 32 * 32)
    assert layers["tied_too"] == Layer("tied_too", (6, 32), 32, 6 * 32 * 32)
    assert layers["model"] == Layer("model", (10,), 320, 320)
    assert layers["unused"] == Layer("unused", (), 12, 0)
    trained = sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
    assert sum(layer.parameters for layer in layers.values()) == trained


def test_looking_changes_nothing() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    before = {key: value.clone() for key, value in module.state_dict().items()}
    module_layers(module, torch.rand(2, 3))
    assert module.training
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


def asked(config: Any, folder: Path) -> dict[str, Any]:
    return probe({"config": config.model_dump(mode="json"), "data_dir": str(folder)})


def test_a_users_network_is_built_on_the_data_it_is_for(tmp_path: Path) -> None:
    config = custom(write(tmp_path, NET))
    layers = [Layer(**layer) for layer in asked(config, tmp_path)["layers"]]
    assert [(layer.name, layer.parameters, layer.multiply_adds) for layer in layers] == [
        ("hidden", 24, 16),
        ("norm", 16, 0),
        ("output", 18, 16),
    ]


def test_data_of_a_known_shape_is_not_loaded(tmp_path: Path) -> None:
    """MNIST is not there, and not wanted."""
    net = "from torch import nn\ndef Net(outputs): return nn.Sequential(nn.Flatten(), nn.Linear(784, outputs))"
    layers = asked(custom(write(tmp_path, net), data={"kind": "mnist"}), tmp_path)["layers"]
    assert layers[-1] == {"name": "1", "output_shape": (10,), "parameters": 7850, "multiply_adds": 7840}


def test_a_built_in_model_on_a_users_data(tmp_path: Path) -> None:
    layers = asked(custom(write(tmp_path, NET), {"kind": "mlp", "hidden": [4]}), tmp_path)["layers"]
    assert [prod(layer["output_shape"]) for layer in layers] == [2, 4, 4, 2]


def test_what_goes_wrong_is_an_answer_too(tmp_path: Path) -> None:
    file = write(tmp_path, NET.replace("return self.output", "raise ValueError('boom')\n        return self.output"))
    answer = asked(custom(file), tmp_path)
    assert answer["error"] == "Net in my_net.py: ValueError: boom"
    assert "in forward" in answer["traceback"]
    assert asked(custom(write(tmp_path, NET), {"kind": "cnn"}), tmp_path)["error"].startswith("model.kind: ")


def test_what_a_users_code_prints_is_no_part_of_the_answer(tmp_path: Path) -> None:
    config = custom(write(tmp_path, f"print('noise')\n{NET}"))
    question = json.dumps({"config": config.model_dump(mode="json"), "data_dir": str(tmp_path)})
    done = subprocess.run(
        [sys.executable, "-P", "-m", "engine.layer_probe"], input=question, capture_output=True, text=True, timeout=120
    )
    assert len(json.loads(done.stdout)["layers"]) == 3
    assert "noise" in done.stderr


class Packs(nn.Module):
    """Packs its sequences, and names its arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 4, batch_first=True)

    def forward(self, inputs: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(inputs, torch.full((len(inputs),), 5), batch_first=True)
        _, state = self.rnn(packed)
        again, _ = self.rnn(input=inputs)
        return torch.cat([state[0], again[:, -1]], dim=1)


def test_packed_sequences_are_counted_and_named_arguments_no_trouble() -> None:
    (layer,) = module_layers(Packs(), torch.zeros(2, 5, 3))
    assert (layer.name, layer.parameters) == ("rnn", 3 * 4 * 3 + 3 * 4 * 4 + 2 * 3 * 4)
    assert layer.multiply_adds >= 5 * (3 * 4 * 3 + 3 * 4 * 4)

"""Networks for tokens: by hand as by the library, blind to padding, and made of the layers that are promised."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from engine.data.bundle import DataBundle, Split
from engine.models import build_model
from engine.models.lstm import LstmByHand, LstmClassifier, LstmOfLibrary
from engine.schema import DataFacts
from engine.schema.model import Model

WORDS, LENGTH, CLASSES = 30, 9, 3
CELLS = ("by-hand", "library")
LSTM = {"kind": "lstm", "embedding": 6, "hidden": 5, "head": 4}
RNN = {"kind": "rnn", "hidden": 7, "embedding": 5}
CONFIGS = [
    *({**LSTM, "cell": cell, "dropout": dropout} for cell in CELLS for dropout in (0.0, 0.5)),
    *({**RNN, "variant": variant} for variant in ("cell", "rnn", "embedding")),
]


def bundle() -> DataBundle:
    nothing = Split(torch.zeros(0, LENGTH, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
    names = tuple("abc"[:CLASSES])
    return DataBundle(nothing, None, (LENGTH,), CLASSES, names, vocabulary=tuple(map(str, range(WORDS))))


def built(tree: dict[str, Any]) -> nn.Module:
    torch.manual_seed(0)
    return build_model(TypeAdapter(Model).validate_python(tree), bundle()).eval()


def texts(*lengths: int, padding: int = 0) -> Tensor:
    """Random texts of these lengths, padded to the longest and by `padding` more."""
    torch.manual_seed(1)
    ids = torch.zeros(len(lengths), max(lengths) + padding, dtype=torch.int64)
    for row, length in zip(ids, lengths, strict=True):
        row[:length] = torch.randint(1, WORDS, (length,))
    return ids


def pair(width: int = 6, hidden: int = 5) -> Iterator[nn.Module]:
    """The LSTM by hand and the library's, with the same weights."""
    torch.manual_seed(3)
    by_hand, library = LstmByHand(width, hidden), LstmOfLibrary(width, hidden, batch_first=True)
    library.load_state_dict(by_hand.state_dict())
    by_hand.load_state_dict(library.state_dict())
    return iter((by_hand, library))


@pytest.mark.parametrize("shape", [(1, 1, 6), (4, 37, 6), (16, 200, 6)])
def test_by_hand_and_library_agree_in_outputs_and_gradients(shape: tuple[int, int, int]) -> None:
    states, gradients = [], []
    inputs = torch.randn(shape)
    for lstm in pair():
        leaf = inputs.clone().requires_grad_()
        states.append(lstm(leaf))
        states[-1].square().mean().backward()
        gradients.append([leaf.grad, *(parameter.grad for parameter in lstm.parameters())])
    assert torch.allclose(*states, rtol=0, atol=1e-5)
    assert all(torch.allclose(*both, rtol=0, atol=1e-5) for both in zip(*gradients, strict=True))


def test_by_hand_and_library_start_from_draws_of_the_same_size() -> None:
    for parameter in LstmByHand(8, 64).parameters():
        assert parameter.abs().max().item() == pytest.approx(64**-0.5, rel=0.1)


def test_whole_networks_agree_whichever_cell_they_were_trained_with() -> None:
    by_hand, library = (built({**LSTM, "cell": cell}) for cell in CELLS)
    library.load_state_dict(by_hand.state_dict())
    ids = texts(9, 4, 1)
    assert torch.allclose(by_hand(ids), library(ids), atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_padding_changes_nothing(cell: str) -> None:
    model, lengths = built({**LSTM, "cell": cell}), (9, 4, 1)
    ids = texts(*lengths)
    logits = model(ids)
    assert torch.allclose(model(texts(*lengths, padding=20)), logits, atol=1e-6)
    for row, length in enumerate(lengths):
        alone = model(ids[row : row + 1, :length])
        assert torch.allclose(alone[0], logits[row], atol=1e-6)
    with torch.no_grad():
        model.get_parameter("embedding.weight")[0] = torch.randn(6) * 100
    assert torch.equal(model(ids), logits)
    with torch.no_grad():
        model.get_parameter("embedding.weight")[0] = torch.nan
    assert torch.equal(model(ids), logits)


def test_words_behind_padding_count_too() -> None:
    model, ids = built(LSTM), torch.zeros(1, LENGTH, dtype=torch.int64)
    answers = []
    for word in (3, 4):
        ids[0, -1] = word
        answers.append(model(ids))
    assert not torch.equal(*answers)


@pytest.mark.parametrize("cell", CELLS)
def test_padding_is_not_learned(cell: str) -> None:
    gradients = []
    for padding in (0, 13):
        model = built({**LSTM, "cell": cell})
        model(texts(9, 4, 1, padding=padding)).square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert all(torch.allclose(*both, atol=1e-5) for both in zip(*gradients, strict=True))
    embedding = gradients[0][0]
    assert embedding is not None and not embedding[0].any()


@pytest.mark.parametrize("cell", CELLS)
def test_a_text_of_nothing_or_of_unknown_words_gives_numbers(cell: str) -> None:
    model = built({**LSTM, "cell": cell})
    ids = torch.zeros(2, LENGTH, dtype=torch.int64)
    ids[1] = 1
    logits = model(ids)
    assert logits.isfinite().all()
    logits.sum().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in model.parameters())


def test_many_texts_are_read_in_parts_where_nothing_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.models.lstm.ROWS_AT_ONCE", 2)
    model, read = built(LSTM), []
    assert isinstance(model, LstmClassifier)
    model.embedding.register_forward_hook(lambda module, inputs, output: read.append(len(output)))
    ids = texts(9, 4, 1, 2, 5)
    whole = model(ids)
    with torch.no_grad():
        assert torch.allclose(model(ids), whole, atol=1e-6)
    assert read == [5, 2, 2, 1]


def test_no_library_lstm_is_inside_of_the_one_by_hand() -> None:
    assert not any(isinstance(module, nn.RNNBase | nn.LSTMCell) for module in built(LSTM).modules())


@pytest.mark.parametrize("tree", CONFIGS, ids=lambda tree: "-".join(map(str, tree.values())))
def test_layers_are_those_of_the_module(tree: dict[str, Any]) -> None:
    model, shapes = built(tree), {}
    for name, module in model.named_modules():
        module.register_forward_hook(lambda module, args, output, name=name: shapes.update({name: output.shape[1:]}))
    logits = model(texts(LENGTH, 3))
    assert logits.shape == ((2, CLASSES) if tree["kind"] == "lstm" else (2, LENGTH, CLASSES))
    section = TypeAdapter(Model).validate_python(tree)
    facts = DataFacts("tokens", (LENGTH,), "classes", CLASSES, 1, 1, WORDS)
    layers = section.layers(facts)
    assert layers is not None
    for layer in layers:
        module = model.get_submodule(layer.name)
        assert layer.output_shape == tuple(shapes[layer.name]), layer.name
        assert layer.parameters == sum(parameter.numel() for parameter in module.parameters()), layer.name
    assert section.parameter_count(facts) == sum(parameter.numel() for parameter in model.parameters())
    named = {layer.name for layer in layers}
    leaves = {name for name, module in model.named_modules() if not list(module.children())}
    assert all(any(leaf == name or leaf.startswith(f"{name}.") for name in named) for leaf in leaves)
    assert section.layers(facts._replace(vocabulary=None)) is None


def test_multiply_adds_are_those_of_the_matrices() -> None:
    section = TypeAdapter(Model).validate_python(LSTM)
    layers = section.layers(DataFacts("tokens", (LENGTH,), "classes", CLASSES, 1, 1, WORDS))
    assert layers is not None
    counts = {layer.name: layer.multiply_adds for layer in layers}
    assert counts["lstm"] == LENGTH * 4 * (6 * 5 + 5 * 5)
    assert (counts["head.dense"], counts["head.output"], counts["embedding"]) == (5 * 4, 4 * CLASSES, 0)


def test_an_rnn_by_hand_and_the_library_agree() -> None:
    by_hand, library = (built({**RNN, "variant": variant}) for variant in ("cell", "rnn"))
    weights = {
        (f"{name}_l0".replace("rnn.cell.", "rnn.") if name.startswith("rnn.") else name): value
        for name, value in by_hand.state_dict().items()
    }
    library.load_state_dict(weights)
    ids = texts(9, 9)
    assert torch.allclose(by_hand(ids), library(ids), atol=1e-6)


@pytest.mark.parametrize(
    "tree", [LSTM, {**LSTM, "cell": "library"}, RNN], ids=["lstm by hand", "lstm of library", "rnn"]
)
def test_half_precision_comes_near(tree: dict[str, Any]) -> None:
    model, ids = built(tree), texts(9, 9)
    whole = model(ids)
    with torch.autocast("cpu", torch.bfloat16):
        half = model(ids).float()
    assert torch.allclose(half, whole, atol=0.05)
    half.sum().backward()

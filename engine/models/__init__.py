"""Architectures, one family per file. `build_model` builds what a configuration describes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from engine.complete import check_complete
from engine.data.bundle import DataBundle
from engine.models.cnn import build_cnn
from engine.models.custom import build_custom
from engine.models.linear import build_linear
from engine.models.lstm import build_lstm
from engine.models.mlp import build_mlp
from engine.models.rnn import build_rnn
from engine.schema.model import Model

__all__ = ["build_model"]

_BUILDERS: dict[str, Callable[[Any, DataBundle], nn.Module]] = {
    "linear": build_linear,
    "mlp": build_mlp,
    "cnn": build_cnn,
    "lstm": build_lstm,
    "rnn": build_rnn,
    "custom": build_custom,
}
check_complete("model", _BUILDERS, "_BUILDERS in engine/models/__init__.py", elsewhere={"dcgan"})  # which takes two


def build_model(model: Model, data: DataBundle) -> nn.Module:
    """The module that `model` describes, from (N, *data.input_shape) to (N, data.outputs), on the CPU.

    One that answers each token maps (N, length) to (N, length, data.outputs).

    Weights are drawn from torch's global generator: seed it first.

    Raises:
        CustomCodeError: the user's own network can't be built.
    """
    return _BUILDERS[model.kind](model, data)

"""Architectures for tokens."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from engine.schema.model_base import Dropout, ModelSection, Width


class Lstm(ModelSection):
    """Embedding, LSTM (Hochreiter and Schmidhuber, 1997), mean over time, two fully connected layers."""

    inputs: ClassVar = ("tokens",)
    tasks: ClassVar = ("classification",)
    kind: Literal["lstm"] = "lstm"
    cell: Literal["by-hand", "library"] = Field(
        "by-hand", description="The LSTM written out from its gates, or torch's own: the same numbers."
    )
    embedding: Width = Field(64, description="Numbers that stand for a word.")
    hidden: Width = Field(64, description="Width of the LSTM's state.")
    head: Width = Field(64, description="Width of the layer between the mean over time and the output.")
    dropout: Dropout = Field(0.0, description="Share of the mean over time silenced at each training step.")


class Rnn(ModelSection):
    """A plain recurrent network that answers each token with a class (Elman, 1990)."""

    inputs: ClassVar = ("tokens",)
    tasks: ClassVar = ("token-classification",)
    kind: Literal["rnn"] = "rnn"
    variant: Literal["cell", "rnn", "embedding"] = Field(
        "cell",
        description="A cell in a loop by hand over one-hot tokens, torch's RNN over the same, or over embedded tokens.",
    )
    hidden: Width = Field(8, description="Width of the state.")
    embedding: Width = Field(10, description="Numbers that stand for a token, in the variant with an embedding.")

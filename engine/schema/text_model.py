"""Architectures for tokens."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from engine.schema.base import DataFacts
from engine.schema.layers import Layer, dense, recurrent, same
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
    dropout: Dropout = Field(0.0, description="Share of the head's units silenced at each training step.")

    def layers(self, facts: DataFacts) -> list[Layer] | None:
        """As many rows in the embedding as the vocabulary may have: texts with fewer different words leave some out."""
        if facts.input_shape is None or facts.outputs is None or facts.vocabulary is None:
            return None
        (length,) = facts.input_shape
        found = [
            Layer("embedding", (length, self.embedding), facts.vocabulary * self.embedding),
            recurrent("lstm", length, self.embedding, self.hidden, gates=4),
            same("mean", (self.hidden,)),
            dense("head.dense", self.hidden, self.head),
            same("head.activation", (self.head,)),
        ]
        if self.dropout:
            found.append(same("head.dropout", (self.head,)))
        return [*found, dense("head.output", self.head, facts.outputs)]


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

    def layers(self, facts: DataFacts) -> list[Layer] | None:
        if facts.input_shape is None or facts.outputs is None or facts.vocabulary is None:
            return None
        (length,) = facts.input_shape
        width = self.embedding if self.variant == "embedding" else facts.vocabulary
        parameters = facts.vocabulary * width if self.variant == "embedding" else 0
        weights = self.hidden * facts.outputs
        return [
            Layer("encoding", (length, width), parameters),
            recurrent("rnn", length, width, self.hidden),
            Layer("output", (length, facts.outputs), weights + facts.outputs, length * weights),
        ]

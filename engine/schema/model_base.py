"""What all architectures have in common."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from engine.schema.base import DataFacts, Inputs, Section
from engine.schema.layers import Layer

Width = Annotated[int, Field(ge=1, le=65536)]
Activation = Literal["none", "relu", "tanh", "sigmoid", "gelu"]
Dropout = Annotated[float, Field(ge=0, lt=1)]


class ModelSection(Section):
    """An architecture."""

    inputs: ClassVar[tuple[Inputs, ...]] = ("features", "image")
    """What it can be fed with."""
    tasks: ClassVar[tuple[str, ...]] = (
        "regression",
        "regression-scratch",
        "binary-classification",
        "classification",
        "classification-numpy",
    )
    """Kinds of the tasks that can train it."""

    def layers(self, facts: DataFacts) -> list[Layer] | None:
        """Its layers in the order of the forward pass; None while the shape of the data is unknown.

        A model that does not say so has its network built by whoever wants to see its layers, and is counted by none.
        """
        return None

    def parameter_count(self, facts: DataFacts) -> int | None:
        """How many numbers training adjusts; None where its layers are not known."""
        layers = self.layers(facts)
        return None if layers is None else sum(layer.parameters for layer in layers)

    def needs_two_samples(self, facts: DataFacts) -> bool:
        """Whether it can't learn from one sample alone, since batch norm has then but one number to a mean."""
        return False

"""What every section of a configuration has in common."""

from __future__ import annotations

from typing import Literal, NamedTuple, NoReturn

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

Inputs = Literal["features", "image", "tokens"]
Targets = Literal["numbers", "binary", "classes", "class-sequence"]


class Section(BaseModel):
    """A frozen, closed model: an unknown key is an error, NaN and infinity are not numbers.

    Validators are made when one is first needed: whoever only looks at a run's curve is spared a tenth of a second.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False, defer_build=True)


class DataFacts(NamedTuple):
    """What can be said of a data set without loading it. None: known only once it is loaded."""

    inputs: Inputs | None
    """What one sample is."""
    input_shape: tuple[int, ...] | None
    """Shape of one sample; images are (channels, height, width), tokens (length,)."""
    targets: Targets
    """What the targets are: real numbers, 0 or 1, a class index, or a class index for each token."""
    outputs: int | None
    """Width of the model's output: target numbers, 1 for binary, or the number of classes."""
    train_rows: int | None
    val_rows: int | None
    vocabulary: int | None = None
    """Of tokens: how many there may be."""


def reject(field: str, message: str) -> NoReturn:
    """Fail validation with `message`, blaming the dotted `field` (relative to the model being validated)."""
    raise PydanticCustomError("misfit", "{message}", {"message": message, "field": field})

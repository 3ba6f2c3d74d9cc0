"""What every section of a configuration has in common."""

from __future__ import annotations

from typing import Literal, NamedTuple, NoReturn

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """A frozen, closed model: an unknown key is an error, NaN and infinity are not numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


class DataFacts(NamedTuple):
    """What can be said of a data set without loading it. None: known only once its file is read."""

    inputs: Literal["features", "image", "tokens"]
    """What one sample is."""
    input_shape: tuple[int, ...] | None
    """Shape of one sample; images are (channels, height, width)."""
    targets: Literal["numbers", "binary", "classes"]
    """What the targets are: real numbers, 0 or 1, or class indices."""
    outputs: int
    """Width of the model's output: target numbers, 1 for binary, or the number of classes."""
    train_rows: int | None
    val_rows: int | None


def reject(field: str, message: str) -> NoReturn:
    """Fail validation with `message`, blaming the dotted `field` (relative to the model being validated)."""
    raise PydanticCustomError("misfit", "{message}", {"message": message, "field": field})

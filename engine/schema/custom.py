"""A user's own data and networks, named by where their code lies. Nothing here imports it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from engine.schema.base import DataFacts, Section
from engine.schema.model_base import ModelSection

Target = Annotated[
    str,
    Field(
        max_length=4096,
        pattern=r"^[^:\x00-\x1f]+:[A-Za-z_]\w*$",
        json_schema_extra={"pattern_in_words": "a Python file or module and a name in it, as in my_net.py:Net"},
    ),
]


class CustomData(Section):
    """Data that your own function returns."""

    kind: Literal["custom"] = "custom"
    target: Target = Field(description="File or module and the function in it that returns the data: my_data.py:load.")
    args: dict[str, Any] = Field({}, description="What the function is called with, by name.")
    targets: Literal["classes", "numbers", "binary"] = Field(
        "classes", description="What the targets are: class indices, real numbers, or 0 and 1."
    )

    def facts(self, data_dir: Path | None = None) -> DataFacts:
        return DataFacts(None, None, self.targets, {"binary": 1}.get(self.targets), None, None)


class CustomModel(ModelSection):
    """A network of your own: any torch.nn.Module."""

    inputs: ClassVar = ("features", "image", "tokens")
    tasks: ClassVar = ("regression", "binary-classification", "classification", "token-classification")
    kind: Literal["custom"] = "custom"
    target: Target = Field(
        description="File or module and the class in it, or a function that returns a network: my_net.py:Net."
    )
    args: dict[str, Any] = Field({}, description="What it is called with, by name.")

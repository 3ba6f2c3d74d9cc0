"""A user's own data and networks, named by where their code lies. Nothing here imports it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from engine.places import expanded
from engine.schema.base import DataFacts, Section
from engine.schema.layers import Layer
from engine.schema.merge import Tree
from engine.schema.model_base import ModelSection

Target = Annotated[
    str,
    Field(
        max_length=4096,
        pattern=r"^[^:\x00-\x1f]+:[A-Za-z_]\w*$",
        json_schema_extra={"pattern_in_words": "a Python file or module and a name in it, as in my_net.py:Net"},
    ),
]


def _plain_data(args: dict[str, Any]) -> dict[str, Any]:
    """Only what a run's config.toml gives back as it was."""
    _check_plain(args, "")
    return args


def _check_plain(value: Any, path: str) -> None:
    match value:
        case dict():
            for key, item in value.items():
                _check_plain(item, f"{path}.{key}" if path else key)
        case list():
            for place, item in enumerate(value):
                _check_plain(item, f"{path}[{place}]")
        case bool() | int() | str():
            pass
        case float() if value - value == 0:
            pass
        case _:
            message = "{path} is {value}: give finite numbers, text, true or false, and lists and tables of them"
            told = {"path": path, "value": repr(value)[:60]}
            raise PydanticCustomError("misfit", "{message}", {"message": message.format(**told), "field": ""})


Args = Annotated[dict[str, Any], AfterValidator(_plain_data)]


class CustomData(Section):
    """Data that your own function returns."""

    kind: Literal["custom"] = "custom"
    target: Target = Field(description="File or module and the function in it that returns the data: my_data.py:load.")
    args: Args = Field({}, description="What the function is called with, by name.")
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
    args: Args = Field({}, description="What it is called with, by name.")

    def layers(self, facts: DataFacts) -> list[Layer] | None:
        """Unknown: only the engine runs a user's code."""
        return None


def is_file(target: str) -> bool:
    """Whether `target` names a file, and not a module that can be imported."""
    place = target.rpartition(":")[0]
    return place.endswith(".py") or os.sep in place


def anchored(tree: Mapping[str, Any], folder: Path) -> Tree:
    """A partial configuration in which files of a user's code are named by absolute paths.

    Args:
        tree: As it was written; not changed.
        folder: What relative paths start from: where it was written.
    """
    found = dict(tree)
    for name in ("data", "model"):
        section = found.get(name)
        if isinstance(section, Mapping) and isinstance(target := section.get("target"), str) and is_file(target):
            place, colon, code = target.rpartition(":")
            path = os.path.abspath(folder / expanded(place))
            found[name] = {**section, "target": f"{path}{colon}{code}"}
    return found

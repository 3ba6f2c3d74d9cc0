"""What fields a configuration has: the form, the command line's help and error messages are made from this."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from engine.schema.base import Section
from engine.schema.run import RunConfig

SECTIONS = ("task", "data", "model", "optimizer", "schedule", "trainer", "display")
"""Sections in the order in which people think of them."""

Shape = Literal["integer", "number", "text", "switch", "choice", "list", "table"]


@dataclass(frozen=True)
class FieldSpec:
    """One field of one section."""

    section: str
    name: str
    shape: Shape
    """What kind of input asks for it."""
    description: str
    limits: str
    """The allowed range in words, empty if there is none."""
    unit: str
    default: Any
    choices: tuple[str, ...] = ()
    """All values of a choice; words that may stand in place of a number otherwise."""

    @property
    def path(self) -> str:
        """Dotted path, as on the command line."""
        return f"{self.section}.{self.name}"


@cache
def section_models(section: str) -> dict[str, type[Section]]:
    """Models of a section by their kind; a section without kinds has the one key ''."""
    annotation = RunConfig.model_fields[section].annotation
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return {_kind_of(member): member for member in members}


def _kind_of(model: type[Section]) -> str:
    field = model.model_fields.get("kind")
    return str(field.default) if field else ""


def known_kinds(section: str) -> list[str]:
    """Kinds of a section, in the schema's order; empty for anything without kinds."""
    return [kind for kind in section_models(section) if kind] if section in SECTIONS else []


def known_keys(section: str, kind: str | None = None) -> list[str]:
    """Keys of a section (of its `kind`, if it has kinds), or of the whole configuration for ''."""
    if section not in SECTIONS:
        return list(RunConfig.model_fields)
    models = section_models(section)
    model = models.get(kind or "", next(iter(models.values())))
    return list(model.model_fields)


def pattern_in_words(section: str, name: str) -> str:
    """What text a field with a pattern takes; empty for one without."""
    models = section_models(section).values()
    info = next(model.model_fields[name] for model in models if name in model.model_fields)
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    return str(extra.get("pattern_in_words", ""))


def fields_of(section: str, kind: str = "") -> Iterator[FieldSpec]:
    """Fields of a section's `kind`, without `kind` itself.

    Raises:
        KeyError: there is no such section or kind.
    """
    for name, info in section_models(section)[kind].model_fields.items():
        if name != "kind":
            yield _spec(section, name, info)


def _spec(section: str, name: str, info: FieldInfo) -> FieldSpec:
    shape, choices, bounds = _shape(info.annotation)
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    return FieldSpec(
        section=section,
        name=name,
        shape=shape,
        description=info.description or "",
        limits=_limits([*info.metadata, *bounds], shape),
        unit=str(extra.get("unit", "")),
        # a field that has to be given starts out empty
        default="" if info.is_required() else info.get_default(call_default_factory=True, validated_data={}),
        choices=choices,
    )


def _shape(annotation: Any) -> tuple[Shape, tuple[str, ...], list[Any]]:
    """Input shape, words and bounds of a field's type."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        shape, words, bounds = _shape(args[0])
        return shape, words, [*bounds, *args[1:]]
    if origin is Literal:
        return "choice", tuple(map(str, args)), []
    if origin is dict:
        return "table", (), []
    if origin is list:
        return "list", (), _shape(args[0])[2]
    if origin in (Union, UnionType):
        number = _shape(next(arg for arg in args if get_origin(arg) is not Literal))
        words = tuple(str(word) for arg in args if get_origin(arg) is Literal for word in get_args(arg))
        return number[0], words, number[2]
    shapes: dict[Any, Shape] = {bool: "switch", int: "integer", float: "number", str: "text"}
    return shapes[annotation], (), []


def _limits(metadata: list[Any], shape: Shape) -> str:
    """The tightest bounds in words; where two are as tight, the one that excludes."""
    lower: list[tuple[float, bool]] = []
    upper: list[tuple[float, bool]] = []
    for bound in _flatten(metadata):
        match bound:
            case annotated_types.Ge(ge=int() | float() as value):
                lower.append((value, False))
            case annotated_types.Gt(gt=int() | float() as value):
                lower.append((value, True))
            case annotated_types.Le(le=int() | float() as value):
                upper.append((value, True))
            case annotated_types.Lt(lt=int() | float() as value):
                upper.append((value, False))
    parts = []
    if lower:
        value, excluded = max(lower)
        parts.append(f"{'above' if excluded else 'at least'} {_number(value)}")
    if upper:
        value, included = min(upper)
        parts.append(f"{'at most' if included else 'below'} {_number(value)}")
    return ("each " if parts and shape == "list" else "") + ", ".join(parts)


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:,}"


def _flatten(metadata: list[Any]) -> Iterator[Any]:
    for item in metadata:
        if isinstance(item, FieldInfo):
            yield from item.metadata
        else:
            yield item

"""What a person is typing: changes laid over a preset, checked as they come. The form's model; no Textual here."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from engine.schema import ConfigError, DataFacts, RunConfig, validate
from engine.schema.custom import anchored
from engine.schema.fields import SECTIONS, FieldSpec, fields_of, known_kinds, pattern_in_words, section_models
from presets import Preset

WANTED = {"integer": "a whole number", "number": "a number", "list": "whole numbers, as in 256, 128"}
SWITCH_WORDS = {"on": True, "off": False}


class Check(NamedTuple):
    """What validation says of a draft."""

    config: RunConfig | None
    """None while anything is wrong."""
    problems: dict[str, str]
    """Messages by the path of the field they belong to; '' for what belongs to no field."""


class RunSize(NamedTuple):
    """How large a run is; None where that is known only once its data is read."""

    parameters: int | None
    steps_per_epoch: int | None
    total_steps: int | None


class Draft:
    """A preset's configuration with changes, some of which may be wrong for the moment.

    Values come and go as text, the way they are typed; paths are dotted, as on the command line.
    """

    def __init__(self, preset: Preset, origin: str = "the preset") -> None:
        """
        Args:
            preset: What to start from.
            origin: What to call it in a sentence.
        """
        self.preset = preset
        self.origin = origin
        self.run_name = ""
        self._base: dict[str, Any] = preset.config.model_dump(mode="json")
        self._changes: dict[str, dict[str, Any]] = {}

    def kind(self, section: str) -> str:
        """The section's kind, '' for a section without kinds."""
        return str(self._changes.get(section, {}).get("kind", self._base[section].get("kind", "")))

    def fields(self, section: str) -> Iterator[FieldSpec]:
        """Fields of a section as it is now, `kind` first where it has one."""
        kind = self.kind(section)
        if kind:
            yield _kind_spec(section, kind)
        yield from fields_of(section, kind)

    def field(self, path: str) -> FieldSpec:
        """The field at `path`.

        Raises:
            KeyError: the section has no such field, at least not in its present kind.
        """
        for spec in self.fields(path.partition(".")[0]):
            if spec.path == path:
                return spec
        raise KeyError(path)

    def text(self, path: str) -> str:
        """The value at `path`, as it was typed or as one would type it."""
        section, _, name = path.partition(".")
        if name == "kind":
            return self.kind(section)
        changed = self._changes.get(section, {})
        return text_of(changed[name] if name in changed else self._starting_value(path))

    def starting_text(self, path: str) -> str:
        """What resetting `path` would bring back: the preset's value, or the default of a kind the preset has not."""
        return text_of(self._starting_value(path))

    def set_text(self, path: str, text: str) -> None:
        """Put what was typed at `path`; a new kind drops the fields of the old one."""
        section, _, name = path.partition(".")
        if name == "kind":
            self._set_kind(section, text)
            return
        value = parse(self.field(path), text)
        if value == self._starting_value(path):
            self._changes.get(section, {}).pop(name, None)
            self._forget_if_empty(section)
        else:
            self._changes.setdefault(section, {})[name] = value

    def reset(self, path: str) -> None:
        """Take back every change at `path`."""
        self.set_text(path, self.starting_text(path))

    def reset_all(self) -> None:
        """Be the preset again."""
        self._changes.clear()

    def differs(self, path: str) -> bool:
        """Whether `path` has another value than resetting would give it."""
        section, _, name = path.partition(".")
        return name in self._changes.get(section, {})

    def follows_preset(self, path: str) -> bool:
        """Whether resetting `path` brings back the preset's value, and not the default of a kind it has not."""
        section, _, name = path.partition(".")
        base = self._base[section]
        return name == "kind" or (base.get("kind", "") == self.kind(section) and name in base)

    @property
    def changed(self) -> bool:
        """Whether anything differs from the preset."""
        return bool(self._changes)

    @property
    def tree(self) -> dict[str, Any]:
        """The configuration as plain data, right or wrong; files named from where dltui runs."""
        tree = dict(self._base)
        for section, changed in self._changes.items():
            # no overlay: what a table leaves out of the preset's is meant to go, and nothing else is
            tree[section] = {**({} if "kind" in changed else self._base[section]), **changed}
        with suppress(OSError):  # the folder may be gone
            return anchored(tree, Path.cwd())
        return tree

    def check(self) -> Check:
        """Validate the whole draft."""
        try:
            return Check(validate(self.tree), {})
        except ConfigError as error:
            problems: dict[str, str] = {}
            for problem in error.problems:
                path = self._widget_path(problem.path)
                problems.setdefault(path, self._message(path, problem.path, problem.message))
            return Check(None, problems)

    def changes_in_words(self) -> str:
        """Every change on one line, for a saved preset to say how it differs from its parent."""
        paths = [spec.path for section in SECTIONS for spec in self.fields(section) if self.differs(spec.path)]
        return ", ".join(f"{path} = {self.text(path) or 'nothing'}" for path in paths)

    def _set_kind(self, section: str, kind: str) -> None:
        if kind == self.kind(section):
            return
        self._changes.pop(section, None)
        if kind != self._base[section].get("kind"):
            self._changes[section] = {"kind": kind}

    def _starting_value(self, path: str) -> Any:
        section, _, name = path.partition(".")
        if self.follows_preset(path):
            return self._base[section][name]
        default = self.field(path).default
        return list(default) if isinstance(default, tuple) else default

    def _forget_if_empty(self, section: str) -> None:
        if not self._changes.get(section, True):
            del self._changes[section]

    def _widget_path(self, path: str) -> str:
        """The field that shows a problem at `path`: itself, what it lies in, or none ('')."""
        section, *keys = path.split(".")
        if section not in SECTIONS:
            return ""
        known = {spec.path for spec in self.fields(section)}
        for count in range(len(keys), 0, -1):
            candidate = ".".join([section, *keys[:count]])
            if candidate in known:
                return candidate
        return f"{section}.kind" if self.kind(section) else ""

    def _message(self, path: str, blamed: str, message: str) -> str:
        if not path:
            return f"{blamed}: {message}" if blamed else message
        spec = self.field(path)
        if spec.shape in WANTED and self.text(path) == "":
            return f"is empty: give {' or '.join([WANTED[spec.shape], *spec.choices])}"
        if spec.shape == "text" and self.text(path) == "":
            return f"is empty: give {pattern_in_words(spec.section, spec.name) or 'some text'}"
        place = blamed.removeprefix(path).lstrip(".")
        return f"number {int(place) + 1}: {message}" if place.isdecimal() else message


def run_size(config: RunConfig, facts: DataFacts | None = None) -> RunSize:
    """Parameters and steps of a run, as far as they are known without loading its data."""
    steps = config.steps_per_epoch(facts)
    total = None if steps is None else steps * config.trainer.epochs
    return RunSize(config.parameter_count(facts), steps, total)


def parse(spec: FieldSpec, text: str) -> Any:
    """The value that `text` stands for, or the text itself where it stands for none: validation then says why."""
    text = text.strip()
    match spec.shape:
        case "switch":
            return SWITCH_WORDS.get(text, text)
        case "integer" | "number":
            return text if text in spec.choices else _number(text, whole=spec.shape == "integer")
        case "list":
            return [_number(item, whole=True) for item in _items(text.strip("[]"))]
        case "table":
            table = toml_value(text if text.startswith("{") else f"{{{text}}}")
            return text if table is None else table
        case _:
            return text


def _items(text: str) -> list[str]:
    """Items with commas or spaces between them; '' for each that is missing beside a comma, so that it is told of.

    One at the end counts too, though TOML allows it: a shell makes `64,` of `64,$WIDTH` where WIDTH is not set.
    """
    if not text.strip():
        return []
    return [item for part in text.split(",") for item in part.split() or [""]]


def toml_value(text: str) -> Any:
    """The value that `text` is in TOML, None if it is none."""
    with suppress(tomllib.TOMLDecodeError, RecursionError, ValueError):
        tree = tomllib.loads(f"value = {text}")
        if tree.keys() == {"value"}:
            return tree["value"]
    return None


def _number(text: str, whole: bool) -> float | str:
    with suppress(ValueError):
        return int(text)
    with suppress(ValueError):
        value = float(text)
        if not whole:
            return value
        if isfinite(value) and value.is_integer():  # 1e3 is a whole number too
            return int(value)
    return text


def text_of(value: Any) -> str:
    """A value as a person would type it: 0.001, 1e-5, 256, 128, width = 32."""
    match value:
        case None:
            return ""
        case bool():
            return "on" if value else "off"
        case float():
            return _float_text(value)
        case list() | tuple():
            return ", ".join(map(text_of, value))
        case Mapping():
            return ", ".join(f"{_toml_key(key)} = {_toml_text(item)}" for key, item in value.items())
        case _:
            return str(value)


def _toml_key(key: str) -> str:
    import tomlkit  # takes a while, and few fields are tables

    return tomlkit.key(key).as_string()


def _toml_text(value: Any) -> str:
    import tomlkit

    match value:
        case Mapping():
            return f"{{{text_of(value)}}}"
        case list() | tuple():
            return f"[{', '.join(map(_toml_text, value))}]"
        case _:
            return str(tomlkit.item(value).as_string())


def _float_text(value: float) -> str:
    mantissa, exponent_sign, exponent = repr(value).partition("e")
    mantissa = mantissa.removesuffix(".0")
    return f"{mantissa}e{int(exponent)}" if exponent_sign else mantissa


def _kind_spec(section: str, kind: str) -> FieldSpec:
    doc = (section_models(section)[kind].__doc__ or "").strip()
    return FieldSpec(section, "kind", "choice", doc, "", "", kind, tuple(known_kinds(section)))

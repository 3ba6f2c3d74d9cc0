"""Settings on the command line: `--optimizer.lr 0.1`, `--model.hidden 256,128`, `--epochs 5`, `--model.args.n 3`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache

from engine.schema.fields import SECTIONS, FieldSpec, fields_of, known_kinds, section_models
from engine.schema.merge import Tree
from engine.text import plain
from tui.draft import parse, toml_value
from tui.errors import CommandError

TOP_LEVEL = ("title", "teaches", "group")
TABLE_IN_WORDS = "table in TOML, as in '{width = 32}'"
SWITCH_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "1", "0"})


class Untyped(str):
    """What was typed for a field that is a number in one kind and a list in another: which, the preset decides."""


def take_settings(argv: Iterable[str], own: Mapping[str, bool]) -> tuple[list[str], Tree]:
    """Part the settings in `argv` from everything else.

    Args:
        argv: Arguments of `dltui train`.
        own: Options that are no settings, and whether each takes a value.

    Returns:
        The other arguments in their order, and the settings as a partial configuration. Values are not validated, and
        `Untyped` where their shape depends on the kind; see `typed`.

    Raises:
        CommandError: an unknown flag, or one without its value.
    """
    others: list[str] = []
    tree: Tree = {}
    waiting = deque(argv)
    while waiting:
        token = waiting.popleft()
        if token == "--":
            return [*others, token, *waiting], tree
        flag, equals, text = token.partition("=")
        if not flag.startswith("--"):
            others.append(token)
        elif flag in own:
            others.append(token)
            if own[flag] and not equals and waiting:
                others.append(waiting.popleft())
        else:
            path = _path(flag, own)
            spec = _spec(path)
            value = text if equals else _next_value(flag, path, spec, waiting)
            _put(tree, path, _parsed(spec, path, value))
    return others, tree


def specs(section: str) -> dict[str, FieldSpec]:
    """Fields of all kinds of a section by name; of fields that several kinds have, the first."""
    found: dict[str, FieldSpec] = {}
    for kind in section_models(section):
        for spec in fields_of(section, kind):
            found.setdefault(spec.name, spec)
    return found


@cache
def setting_flags() -> tuple[str, ...]:
    """Every flag that sets something."""
    flags = []
    for section in SECTIONS:
        flags += [f"--{section}.kind"] if known_kinds(section) else []
        flags += [f"--{flag_name(spec)}" for spec in specs(section).values()]
    return tuple(flags)


def flag_name(spec: FieldSpec) -> str:
    """The field's flag without its dashes; fields of the trainer need no section."""
    return dashed(spec.name) if spec.section == "trainer" else f"{spec.section}.{dashed(spec.name)}"


def dashed(name: str) -> str:
    """A field's name as flags write it."""
    return name.replace("_", "-")


def _ending(flag: str) -> str:
    """A flag without its dashes and its section."""
    return flag.removeprefix("--").rpartition(".")[2]


def _path(flag: str, own: Iterable[str]) -> str:
    """Dotted path of the field that `flag` sets."""
    name = flag[2:].replace("-", "_")
    section, dot, key = name.partition(".")
    if dot and section in SECTIONS and (key in specs(section) or (key == "kind" and known_kinds(section))):
        return name
    table, inside, _ = key.partition(".")
    if inside and section in SECTIONS and table in specs(section) and specs(section)[table].shape == "table":
        return f"{section}.{table}.{flag.split('.', 2)[2]}"  # a user's own names may have dashes
    if not dot and name in specs("trainer"):
        return f"trainer.{name}"
    if name in TOP_LEVEL:
        return name
    raise CommandError(f"unknown flag {plain(flag)[:80]}; {_hint(flag, own)}")


def _hint(flag: str, own: Iterable[str]) -> str:
    section, _, key = flag[2:].partition(".")
    if section in SECTIONS and known_kinds(section) and not key:
        return f"did you mean --{section}.kind?"
    flags = setting_flags()
    wanted = dashed(_ending(flag)).lower()
    same = [known for known in flags if _ending(known) == wanted]
    if same:
        return f"did you mean {' or '.join(same)}?"
    near = get_close_matches(flag, [*own, *flags], n=1, cutoff=0.7)
    if not near:
        endings = {_ending(known): known for known in reversed(flags)}
        near = [endings[ending] for ending in get_close_matches(wanted, endings, n=1, cutoff=0.7)]
    return f"did you mean {near[0]}?" if near else "dltui train --help lists all"


def _next_value(flag: str, path: str, spec: FieldSpec | None, waiting: deque[str]) -> str:
    if spec is not None and spec.shape == "switch":
        return waiting.popleft() if waiting and waiting[0].lower() in SWITCH_WORDS else "true"
    if waiting and not waiting[0].startswith("--"):
        return waiting.popleft()
    wanted = " or ".join(known_kinds(path.partition(".")[0])) if path.endswith(".kind") else value_in_words(spec)
    raise CommandError(f"{flag} wants a value: {wanted}")


def _spec(path: str) -> FieldSpec | None:
    section, _, key = path.partition(".")
    return specs(section).get(key.partition(".")[0]) if section in SECTIONS else None


def _parsed(spec: FieldSpec | None, path: str, text: str) -> object:
    if spec is None:
        return text
    if path == spec.path:
        return Untyped(text) if _shapes(spec) > 1 else parse(spec, text)
    value = toml_value(text)  # one entry of a table; what is no TOML is a word that the shell has unquoted
    return text if value is None else value


def _shapes(spec: FieldSpec) -> int:
    """How many shapes the field has among the kinds that have it."""
    kinds = section_models(spec.section)
    return len({field.shape for kind in kinds for field in fields_of(spec.section, kind) if field.name == spec.name})


def typed(tree: Tree) -> Tree:
    """`tree` with every `Untyped` value parsed as the kind of its section wants it."""
    return {name: _typed_section(name, value) if isinstance(value, dict) else value for name, value in tree.items()}


def _typed_section(section: str, values: Tree) -> Tree:
    if not any(isinstance(value, Untyped) for value in values.values()):
        return values
    kind = str(values.get("kind", ""))
    known = {spec.name: spec for spec in fields_of(section, kind)} if kind in section_models(section) else {}
    return {
        name: parse(known[name], value) if isinstance(value, Untyped) and name in known else value
        for name, value in values.items()
    }


def _put(tree: Tree, path: str, value: object) -> None:
    *tables, key = path.split(".", 2)
    for table in tables:
        if not isinstance(tree.get(table), dict):
            tree[table] = {}
        tree = tree[table]
    tree[key] = value


def value_in_words(spec: FieldSpec | None) -> str:
    """What a field takes: `integer, at least 1, or full`."""
    if spec is None:
        return "text"
    if spec.shape == "choice":
        return " or ".join(spec.choices)
    words = {"switch": "true or false", "list": "numbers with commas between them", "table": TABLE_IN_WORDS}
    shape = words.get(spec.shape, spec.shape)
    parts = [shape, *filter(None, [spec.limits]), *(f"or {word}" for word in spec.choices)]
    return ", ".join(parts) + (f" ({spec.unit})" if spec.unit else "")

"""Turn validation errors into lines that name the mend."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from engine.schema.fields import known_keys, known_kinds, pattern_in_words
from engine.schema.run import RunConfig
from engine.text import plain

TOLD = 50
"""Problems that are told of at most."""
KEY_LIMIT = 100


class Problem(NamedTuple):
    """One thing wrong with a configuration."""

    path: str
    """Dotted path of the field, empty if it is the whole."""
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(ValueError):
    """A configuration that cannot be run; `problems` lists every reason."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


def validate(tree: Mapping[str, Any]) -> RunConfig:
    """The configuration that `tree` describes.

    Raises:
        ConfigError: with all problems found, each under its dotted path.
    """
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        details = error.errors(include_url=False)
    except RecursionError:
        raise ConfigError([Problem("", "nested too deeply")]) from None
    problems = _problems(details[:TOLD], tree)
    if len(details) > TOLD:
        problems.append(Problem("", f"and {len(details) - TOLD:,} more"))
    raise ConfigError(problems)


def _problems(details: list[ErrorDetails], tree: Mapping[str, Any]) -> list[Problem]:
    """One problem per path: a field that takes a number or a word fails as both."""
    problems: list[Problem] = []
    expected: dict[str, list[str]] = {}
    for detail in details:
        path, wanted = _path(detail), _wanted(detail)
        if _is_gap(detail):
            problems.append(Problem(path, f"is empty: give {wanted or 'a value'} there, or leave out a comma"))
        elif wanted is None:
            problems.append(_problem(detail, tree))
        elif path in expected:
            expected[path].append(wanted)
            words = " or ".join(dict.fromkeys(expected[path]))
            place = next(index for index, problem in enumerate(problems) if problem.path == path)
            problems[place] = Problem(path, f"must be {words} (got {_shown(detail['input'])})")
        else:
            expected[path] = [wanted]
            problems.append(Problem(path, f"must be {wanted} (got {_shown(detail['input'])})"))
    return problems


def _is_gap(detail: ErrorDetails) -> bool:
    """Whether it is about an item of a list where nothing stands, as in `64,,32`."""
    return detail["input"] == "" and isinstance(detail["loc"][-1], int)


# what pydantic puts behind a field of several types
_UNION_BRANCH = re.compile(r"int|constrained-int|literal\[.*\]", re.DOTALL)


def _keys(detail: ErrorDetails) -> list[str]:
    keys = [str(part) for part in detail["loc"]]
    # pydantic puts the union's tag behind the section's name; a user's path has no such part
    if len(keys) > 1 and keys[1] in known_kinds(keys[0]):
        del keys[1]
    return [*keys[:2], *(key for key in keys[2:] if not _UNION_BRANCH.fullmatch(key))]


def _path(detail: ErrorDetails) -> str:
    return plain(".".join(key[:KEY_LIMIT] for key in _keys(detail)))


def _wanted(detail: ErrorDetails) -> str | None:
    """What the value must be, in words that follow "must be"; None for what is not about a value."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"{words} {_number(context[key])}"
    if kind == "literal_error":
        return str(context["expected"]).replace("'", "")
    if kind in ("too_short", "too_long"):
        bound = f"{context['min_length']} or more" if kind == "too_short" else f"at most {context['max_length']}"
        return f"a list of {bound}"
    if kind in ("string_too_short", "string_too_long"):
        bound = (
            f"at least {context['min_length']}" if kind == "string_too_short" else f"at most {context['max_length']}"
        )
        return f"text of {bound} characters"
    if kind == "string_pattern_mismatch":
        return pattern_in_words(*_path(detail).rsplit(".", 1))
    return _TYPES.get(kind)


_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}
_TYPES = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "string_unicode": "text",
    "list_type": "a list, such as [256, 128]",
    "model_type": "a table of settings",
    "model_attributes_type": "a table of settings",
    "dict_type": 'a table, such as {width = 32, name = "x"}',
}


def _number(value: Any) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def _problem(detail: ErrorDetails, tree: Mapping[str, Any]) -> Problem:
    keys, path = _keys(detail), _path(detail)
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "misfit":
        blamed = ".".join(filter(None, [path, context["field"]]))
        return Problem(blamed, plain(context["message"]))
    if kind == "extra_forbidden":
        return Problem(path, _unknown_key(keys, tree))
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return Problem(f"{path}.kind", _unknown_kind(keys[0], tree))
    if kind == "missing":
        return Problem(path, "is missing: give it, or start from a preset with extends")
    return Problem(path, f"{_lower_first(plain(detail['msg']))} (got {_shown(detail['input'])})")


def _unknown_key(keys: list[str], tree: Mapping[str, Any]) -> str:
    section = tree.get(keys[0])
    kind = section.get("kind") if isinstance(section, Mapping) else None
    known = known_keys(keys[0] if len(keys) > 1 else "", kind if isinstance(kind, str) else None)
    near = get_close_matches(keys[-1], known, n=1, cutoff=0.5)
    owners = [other for other in known_kinds(keys[0]) if keys[-1] in known_keys(keys[0], other)]
    if len(keys) == 2 and owners:
        hint = f"only {', '.join(owners)} {'has' if len(owners) == 1 else 'have'} it"
    else:
        hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"
    owner = f" of {keys[0]} '{plain(str(kind))}'" if kind and len(keys) > 1 else ""
    return f"unknown key{owner}; {hint}"


def _unknown_kind(section: str, tree: Mapping[str, Any]) -> str:
    known = sorted(known_kinds(section))
    value = tree.get(section)
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if kind is None:
        return f"is missing; known: {', '.join(known)}"
    near = get_close_matches(str(kind), known, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else "choose one of them"
    return f"unknown kind '{plain(str(kind))[:60]}'; {hint} (known: {', '.join(known)})"


def _shown(value: Any) -> str:
    try:
        text = plain(repr(value))
    except (ValueError, RecursionError):  # a number of thousands of digits, a table in a table in a table
        text = f"{type(value).__name__} too large to be shown"
    return text if len(text) <= 60 else text[:57] + "..."


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]

"""Lay one partial configuration over another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Tree = dict[str, Any]


def overlay(base: Mapping[str, Any], over: Mapping[str, Any]) -> Tree:
    """`over` laid on `base`; neither is changed.

    Tables merge key by key. A table that names another `kind` replaces the base's table whole: fields of the old kind
    mean nothing to the new one. One that names another `target` drops the `args` of the old one.
    """
    merged = dict(base)
    if "target" in over and over["target"] != base.get("target"):
        merged.pop("args", None)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping) and not _changes_kind(below, value):
            merged[key] = overlay(below, value)
        else:
            merged[key] = dict(value) if isinstance(value, Mapping) else value
    return merged


def _changes_kind(below: Mapping[str, Any], over: Mapping[str, Any]) -> bool:
    return "kind" in over and over["kind"] != below.get("kind")

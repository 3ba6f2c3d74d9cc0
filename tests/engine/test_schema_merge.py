"""Laying one partial configuration over another."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.schema import overlay

KEYS = st.sampled_from(["kind", "lr", "hidden", "a"])
VALUES = st.one_of(st.integers(), st.sampled_from(["adam", "sgd"]), st.lists(st.integers(), max_size=2))
TREES: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    KEYS, st.recursive(VALUES, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=6), max_size=4
)


def test_tables_merge_key_by_key() -> None:
    base = {"optimizer": {"kind": "adam", "lr": 0.1}, "title": "x"}
    assert overlay(base, {"optimizer": {"lr": 0.2}}) == {"optimizer": {"kind": "adam", "lr": 0.2}, "title": "x"}


def test_another_kind_drops_the_fields_of_the_old_one() -> None:
    base = {"optimizer": {"kind": "adam", "beta1": 0.8}}
    assert overlay(base, {"optimizer": {"kind": "sgd", "momentum": 0.9}}) == {
        "optimizer": {"kind": "sgd", "momentum": 0.9}
    }


def test_the_same_kind_keeps_them() -> None:
    base = {"optimizer": {"kind": "adam", "beta1": 0.8}}
    assert overlay(base, {"optimizer": {"kind": "adam", "lr": 0.2}})["optimizer"] == {
        "kind": "adam",
        "beta1": 0.8,
        "lr": 0.2,
    }


def test_lists_are_replaced_not_joined() -> None:
    assert overlay({"model": {"hidden": [1, 2, 3]}}, {"model": {"hidden": [4]}}) == {"model": {"hidden": [4]}}


@given(TREES, TREES)
def test_neither_side_is_changed(base: dict[str, Any], over: dict[str, Any]) -> None:
    before = deepcopy((base, over))
    overlay(base, over)
    assert (base, over) == before


@given(TREES)
def test_nothing_laid_over_a_tree_or_the_tree_over_nothing_is_the_tree(tree: dict[str, Any]) -> None:
    assert overlay(tree, {}) == tree == overlay({}, tree)


@given(TREES, TREES)
def test_laying_the_same_over_it_twice_changes_nothing_more(base: dict[str, Any], over: dict[str, Any]) -> None:
    once = overlay(base, over)
    assert overlay(once, over) == once


def test_another_target_does_not_get_the_old_ones_args() -> None:
    base = {"model": {"kind": "custom", "target": "a.py:Net", "args": {"width": 32, "depth": 2}}}
    assert overlay(base, {"model": {"args": {"width": 8}}})["model"]["args"] == {"width": 8, "depth": 2}
    assert overlay(base, {"model": {"target": "a.py:Net"}}) == base
    other = {"target": "a.py:Other", "args": {"size": 1}}
    assert overlay(base, {"model": other})["model"] == {"kind": "custom", **other}
    assert "args" not in overlay(base, {"model": {"target": "a.py:Other"}})["model"]

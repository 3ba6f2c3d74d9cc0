"""Exact values of schedules at the places where they could be wrong."""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from engine.schedules import lr_factor
from engine.schema.fields import known_kinds
from engine.schema.schedule import Schedule


def factor(step: int, epochs: int = 10, steps_per_epoch: int = 10, **tree: Any) -> float:
    return lr_factor(TypeAdapter(Schedule).validate_python(tree), step, steps_per_epoch, epochs)


@pytest.mark.parametrize(
    ("tree", "values"),
    [
        ({"kind": "constant"}, {0: 1, 99: 1, 1000: 1}),
        ({"kind": "step", "every": 3, "gamma": 0.1}, {0: 1, 29: 1, 30: 0.1, 59: 0.1, 60: 0.01, 99: 1e-3, 300: 1e-10}),
        ({"kind": "exponential", "gamma": 0.5}, {0: 1, 5: sqrt(0.5), 10: 0.5, 20: 0.25}),
        ({"kind": "cosine"}, {0: 1, 50: 0.5, 25: 0.5 + sqrt(0.5) / 2, 100: 0, 500: 0}),
        ({"kind": "cosine", "floor": 0.2}, {0: 1, 50: 0.6, 100: 0.2, 101: 0.2}),
        (
            {"kind": "cosine-restarts", "first": 2, "grow": 2},
            {0: 1, 10: 0.5, 20: 1, 40: 0.5, 60: 1, 100: 0.5, 140: 1, 10**6: None},
        ),
        ({"kind": "cosine-restarts", "first": 3, "grow": 1, "floor": 0.1}, {0: 1, 15: 0.55, 30: 1, 45: 0.55, 300: 1}),
        (
            {"kind": "one-cycle", "rise": 0.4, "start": 0.1, "floor": 0.0},
            {0: 0.1, 20: 0.55, 40: 1, 70: 0.5, 100: 0, 200: 0},
        ),
        ({"kind": "cyclic", "period": 4, "floor": 0.2}, {0: 0.2, 10: 0.6, 20: 1, 30: 0.6, 40: 0.2, 60: 1}),
        ({"kind": "inverse-sqrt", "warmup": 0.1}, {0: 0.1, 4: 0.5, 9: 1, 39: 0.5, 89: 1 / 3, 999: 0.1}),
        ({"kind": "inverse-sqrt", "warmup": 0}, {0: 1, 3: 0.5, 99: 0.1}),
    ],
    ids=lambda value: value.get("kind", "") if "kind" in value else "",
)
def test_values(tree: dict[str, Any], values: dict[int, float | None]) -> None:
    for step, value in values.items():
        if value is None:
            assert 0 <= factor(step, **tree) <= 1
        else:
            assert factor(step, **tree) == pytest.approx(value, abs=1e-12), step


@pytest.mark.parametrize("kind", known_kinds("schedule"))
def test_warmup_climbs_from_the_first_step_to_the_whole_factor(kind: str) -> None:
    cold = {"kind": kind, "warmup": 0.2}
    warm = {"kind": kind, "warmup": 0.0}
    if kind == "cosine" or kind == "inverse-sqrt":  # its descent begins when the climb is over
        expected = [(step + 1) / 20 for step in range(20)]
    else:
        expected = [(step + 1) / 20 * factor(step, **warm) for step in range(20)]
    assert [factor(step, **cold) for step in range(20)] == pytest.approx(expected)


def test_a_warmup_shorter_than_a_step_is_none() -> None:
    assert factor(0, epochs=1, steps_per_epoch=3, kind="constant", warmup=0.1) == 1


@given(
    kind=st.sampled_from(known_kinds("schedule")),
    warmup=st.sampled_from([0.0, 0.3, 0.99]),
    step=st.integers(0, 10**7),
    steps_per_epoch=st.integers(1, 10**5),
    epochs=st.integers(1, 10**5),
)
def test_any_step_has_a_factor_between_0_and_1(
    kind: str, warmup: float, step: int, steps_per_epoch: int, epochs: int
) -> None:
    assert 0 <= factor(step, epochs, steps_per_epoch, kind=kind, warmup=warmup) <= 1 + 1e-12

"""What forms and helps are made from."""

from __future__ import annotations

import pytest

from engine.schema.fields import SECTIONS, FieldSpec, fields_of, known_keys, known_kinds, section_models

EVERY_FIELD = [
    pytest.param(spec, id=f"{section}-{kind}-{spec.name}")
    for section in SECTIONS
    for kind in section_models(section)
    for spec in fields_of(section, kind)
]


def spec_of(section: str, kind: str, name: str) -> FieldSpec:
    return next(spec for spec in fields_of(section, kind) if spec.name == name)


@pytest.mark.parametrize("spec", EVERY_FIELD)
def test_every_field_says_what_it_means(spec: FieldSpec) -> None:
    assert spec.description.endswith(".")
    assert len(spec.description) > 10


@pytest.mark.parametrize("spec", [param for param in EVERY_FIELD if param.values[0].shape in ("integer", "number")])
def test_every_number_has_a_range(spec: FieldSpec) -> None:
    assert spec.limits


@pytest.mark.parametrize("section", SECTIONS)
def test_every_kind_says_what_it_is(section: str) -> None:
    for kind in known_kinds(section):
        assert (section_models(section)[kind].__doc__ or "").strip()


@pytest.mark.parametrize(
    ("section", "kind", "name", "limits"),
    [
        ("optimizer", "adam", "lr", "above 0, at most 100"),
        ("optimizer", "sgd", "momentum", "at least 0, below 1"),
        ("model", "mlp", "hidden", "each at least 1, at most 65,536"),
        ("trainer", "", "clip_norm", "at least 0, at most 1,000,000"),
        ("schedule", "cosine", "warmup", "at least 0, below 1"),
        ("trainer", "", "device", ""),
    ],
)
def test_limits_are_the_tightest_bounds_in_words(section: str, kind: str, name: str, limits: str) -> None:
    assert spec_of(section, kind, name).limits == limits


def test_shapes_units_and_words() -> None:
    assert spec_of("trainer", "", "batch_size").shape == "integer"
    assert spec_of("trainer", "", "batch_size").choices == ("full",)
    assert spec_of("model", "mlp", "hidden").shape == "list"
    assert spec_of("model", "mlp", "activation").choices == ("none", "relu", "tanh", "sigmoid", "gelu")
    assert spec_of("trainer", "", "shuffle").shape == "switch"
    assert spec_of("trainer", "", "checkpoint_every_s").unit == "s"
    assert spec_of("data", "csv", "path").path == "data.path"


def test_nothing_is_known_of_a_section_there_is_not() -> None:
    assert known_kinds("nonsense") == []
    assert "data" in known_keys("nonsense")
    with pytest.raises(KeyError):
        list(fields_of("optimizer", "nonsense"))

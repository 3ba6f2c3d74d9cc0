"""What a configuration may be, and what is said of one that may not."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from engine.schema import ConfigError, RunConfig, overlay, validate

SPIRAL: dict[str, Any] = {
    "task": {"kind": "classification"},
    "data": {"kind": "spiral"},
    "model": {"kind": "mlp", "hidden": [100]},
    "optimizer": {"kind": "adam", "lr": 1e-3},
    "schedule": {"kind": "constant"},
    "trainer": {"batch_size": "full", "epochs": 10},
}


def problems(**changes: Any) -> list[str]:
    """What validation says of the spiral with `changes` laid over it."""
    with pytest.raises(ConfigError) as caught:
        validate(overlay(SPIRAL, changes))
    return [str(problem) for problem in caught.value.problems]


def test_a_whole_configuration_survives_being_written_out_and_read_back() -> None:
    config = validate(SPIRAL)
    assert validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"optimizer": {"lr": 0}}, "optimizer.lr: must be above 0 (got 0)"),
        ({"optimizer": {"lr": 1000}}, "optimizer.lr: must be at most 100 (got 1000)"),
        ({"optimizer": {"lr": "fast"}}, "optimizer.lr: must be a number (got 'fast')"),
        ({"optimizer": {"lr": float("nan")}}, "optimizer.lr: must be a finite number (got nan)"),
        ({"trainer": {"epochs": 1.5}}, "trainer.epochs: must be a whole number (got 1.5)"),
        ({"trainer": {"shuffle": "maybe"}}, "trainer.shuffle: must be true or false (got 'maybe')"),
        ({"trainer": {"device": "gpu"}}, "trainer.device: must be auto, cpu, mps, cuda or"),
        ({"trainer": {"seed": 2**40}}, "trainer.seed: must be below 2,147,483,648 (got 1099511627776)"),
        ({"model": {"activation": "rely"}}, "model.activation: must be none, relu, tanh, sigmoid or gelu (got 'rely')"),
        ({"model": {"hidden": []}}, "model.hidden: must be a list of 1 or more (got [])"),
        ({"model": {"hidden": [1] * 65}}, "model.hidden: must be a list of at most 64"),
        ({"model": {"hidden": [8, 0]}}, "model.hidden.1: must be at least 1 (got 0)"),
        ({"model": {"hidden": 8}}, "model.hidden: must be a list, such as [256, 128] (got 8)"),
        ({"title": "x" * 121}, "title: must be text of at most 120 characters"),
        ({"optimizer": 5}, "optimizer: must be a table of settings (got 5)"),
    ],
)
def test_a_value_that_will_not_do_is_told_what_it_must_be(changes: dict[str, Any], expected: str) -> None:
    (problem,) = problems(**changes)
    assert problem.startswith(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "trainer.batch_size: must be at least 1 or full (got 0)"),
        ("half", "trainer.batch_size: must be a whole number or full (got 'half')"),
    ],
)
def test_a_number_or_a_word_that_is_neither_is_one_problem(value: object, expected: str) -> None:
    assert problems(trainer={"batch_size": value}) == [expected]


def test_every_problem_is_told_at_once() -> None:
    found = problems(optimizer={"lr": -1}, trainer={"epochs": 0, "batch_size": 0})
    assert [problem.partition(":")[0] for problem in found] == ["optimizer.lr", "trainer.epochs", "trainer.batch_size"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"titel": "x"}, "titel: unknown key; did you mean 'title'?"),
        ({"model": {"hiden": [1]}}, "model.hiden: unknown key of model 'mlp'; did you mean 'hidden'?"),
        ({"optimizer": {"momentum": 0.9}}, "unknown key of optimizer 'adam'; only sgd, rmsprop, muon have it"),
        ({"trainer": {"speed": 9}}, "trainer.speed: unknown key; "),
        ({"optimizer": {"kind": "adma"}}, "optimizer.kind: unknown kind 'adma'; did you mean 'adam'?"),
        ({"model": {"kind": 5}}, "model.kind: unknown kind '5'; choose one of them (known: cnn, custom, "),
    ],
)
def test_an_unknown_name_gets_the_nearest_known_one(changes: dict[str, Any], expected: str) -> None:
    (problem,) = problems(**changes)
    assert expected in problem


def test_a_missing_section_and_a_missing_kind_are_named() -> None:
    with pytest.raises(ConfigError, match=r"model: is missing"):
        validate({"data": {"kind": "spiral"}})
    with pytest.raises(ConfigError, match=r"data\.kind: is missing; known: breast-cancer, .*xor"):
        validate({"data": {}, "model": {"kind": "linear"}})


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"task": {"kind": "regression"}}, "task.kind"),
        ({"data": {"kind": "xor"}}, "task.kind"),
        ({"optimizer": {"kind": "sgd", "nesterov": True}}, "optimizer.nesterov"),
        ({"task": {"kind": "classification-numpy"}}, "optimizer.kind"),
        ({"task": {"kind": "classification-numpy"}, "model": {"hidden": [8, 8]}}, "model.kind"),
        (
            {"task": {"kind": "classification-numpy"}, "optimizer": {"kind": "sgd", "momentum": 0.9}},
            "optimizer.momentum",
        ),
        ({"task": {"kind": "regression-scratch"}, "data": {"kind": "cubic"}}, "model.kind"),
    ],
)
def test_sections_that_do_not_fit_blame_a_field_and_name_the_mend(changes: dict[str, Any], path: str) -> None:
    (problem,) = problems(**changes)
    assert problem.startswith(f"{path}: ")
    assert ": choose" in problem or ": set" in problem


def test_text_from_outside_comes_back_without_anything_a_terminal_obeys() -> None:
    found = problems(**{"tit\x1b[31mle": 1}, optimizer={"lr": "\x1b]0;owned\x07"}, data={"kind": "sp\x1biral"})
    assert len(found) >= 2
    assert not any("\x1b" in problem or "\x07" in problem for problem in found)


def test_nesting_without_end_is_refused_not_crashed_on() -> None:
    deep: Any = {}
    for _ in range(20_000):
        deep = {"x": deep}
    with pytest.raises(ConfigError):
        validate({**SPIRAL, "model": deep})


@pytest.mark.parametrize(("batch_size", "steps"), [("full", 1), (1000, 3), (999, 4), (5000, 1)])
def test_steps_per_epoch_count_the_last_smaller_batch(batch_size: int | str, steps: int) -> None:
    assert validate(overlay(SPIRAL, {"trainer": {"batch_size": batch_size}})).steps_per_epoch() == steps


def test_sizes_that_only_a_file_knows_are_not_guessed() -> None:
    tree = overlay(SPIRAL, {"task": {"kind": "binary-classification"}, "data": {"kind": "csv"}})
    config = validate(tree)
    assert config.parameter_count() is None
    assert config.steps_per_epoch() is None


def test_parameters_of_the_spiral_network() -> None:
    assert validate(SPIRAL).parameter_count() == 2 * 100 + 100 + 100 * 3 + 3


def test_a_configuration_can_not_be_changed() -> None:
    config: Any = validate(SPIRAL)
    with pytest.raises(ValueError, match="frozen"):
        config.trainer.epochs = 5
    assert isinstance(config, RunConfig)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, datetime.date(2026, 1, 1)])
def test_args_hold_only_what_a_file_can_give_back(value: object) -> None:
    """A run's config.toml has to say the same as what was asked for."""
    tree = {"data": {"kind": "custom", "target": "a.py:f", "args": {"deep": [{"x": value}]}}, "model": {"kind": "mlp"}}
    with pytest.raises(ConfigError) as caught:
        validate(tree)
    assert str(caught.value).startswith("data.args: deep[0].x is ")


@pytest.mark.parametrize("target", ["my_net.py", "my_net.py:", ":Net", "my_net.py:3", "a:b:c", "a\nb:c", ""])
def test_a_target_is_a_place_and_a_name(target: str) -> None:
    with pytest.raises(ConfigError, match=r"as in my_net\.py:Net"):
        validate({"data": {"kind": "spiral"}, "model": {"kind": "custom", "target": target}})

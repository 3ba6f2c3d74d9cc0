"""Settings are parted from everything else, and read as their fields want them."""

from __future__ import annotations

from typing import Any

import pytest

from engine.schema.fields import SECTIONS
from engine.schema.merge import overlay
from presets import load_preset
from tui.arguments import setting_flags, specs, take_settings, typed
from tui.errors import CommandError
from tui.settings_help import all_settings, settings_of
from tui.train import resolve

OWN = {"--config": True, "--name": True, "--json": False}


def settings(*argv: str) -> dict[str, Any]:
    """What the flags set, over a preset with an mlp on a table."""
    others, tree = take_settings(argv, OWN)
    assert others == []
    whole = typed(overlay({"data": {"kind": "csv"}, "model": {"kind": "mlp"}}, tree))
    return {
        name: {key: whole[name][key] for key in value} if isinstance(value, dict) else value
        for name, value in tree.items()
    }


def refusal(*argv: str) -> str:
    with pytest.raises(CommandError) as caught:
        take_settings(argv, OWN)
    return str(caught.value)


@pytest.mark.parametrize(
    ("argv", "tree"),
    [
        (["--optimizer.lr", "0.1"], {"optimizer": {"lr": 0.1}}),
        (["--optimizer.lr=1e-3"], {"optimizer": {"lr": 1e-3}}),
        (["--optimizer.lr", ".5"], {"optimizer": {"lr": 0.5}}),
        (["--epochs", "5"], {"trainer": {"epochs": 5}}),
        (["--trainer.epochs", "5"], {"trainer": {"epochs": 5}}),
        (["--epochs", "1e3"], {"trainer": {"epochs": 1000}}),
        (["--batch-size", "32"], {"trainer": {"batch_size": 32}}),
        (["--batch_size", "full"], {"trainer": {"batch_size": "full"}}),
        (["--checkpoint-every-s", "0.5"], {"trainer": {"checkpoint_every_s": 0.5}}),
        (["--device", "cuda:1"], {"trainer": {"device": "cuda:1"}}),
        (["--model.kind", "mlp"], {"model": {"kind": "mlp"}}),
        (["--model.hidden", "256,128"], {"model": {"hidden": [256, 128]}}),
        (["--model.hidden", "[256, 128]"], {"model": {"hidden": [256, 128]}}),
        (["--model.hidden", "256"], {"model": {"hidden": [256]}}),
        (["--model.activation", "none"], {"model": {"activation": "none"}}),
        (["--data.target", "-1"], {"data": {"target": -1}}),
        (["--data.path", "2024.csv"], {"data": {"path": "2024.csv"}}),
        (["--data.path=a=b --c"], {"data": {"path": "a=b --c"}}),
        (["--title", "Día 1"], {"title": "Día 1"}),
        (["--compile"], {"trainer": {"compile": "true"}}),
        (["--shuffle", "false"], {"trainer": {"shuffle": "false"}}),
        (["--shuffle", "off"], {"trainer": {"shuffle": False}}),
        (["--model.kind", "mlp", "--model.hidden", "8"], {"model": {"kind": "mlp", "hidden": [8]}}),
        (["--model.hidden", "8", "--model.kind", "mlp"], {"model": {"kind": "mlp", "hidden": [8]}}),
        (["--epochs", "5", "--epochs", "6"], {"trainer": {"epochs": 6}}),
    ],
)
def test_values_are_read_as_their_fields_want_them(argv: list[str], tree: dict[str, Any]) -> None:
    assert settings(*argv) == tree


def test_everything_else_keeps_its_order_and_its_values() -> None:
    argv = ["--epochs", "5", "spiral-relu", "--compile", "--name", "--odd", "--json", "--config=--x", "--seed=1"]
    others, tree = take_settings(argv, OWN)
    assert others == ["spiral-relu", "--name", "--odd", "--json", "--config=--x"]
    assert tree == {"trainer": {"epochs": 5, "compile": "true", "seed": 1}}


def test_after_two_dashes_nothing_is_a_setting() -> None:
    assert take_settings(["--", "--epochs", "5"], OWN) == (["--", "--epochs", "5"], {})


@pytest.mark.parametrize(
    ("flag", "hint"),
    [
        ("--lr", "did you mean --optimizer.lr?"),
        ("--optimizer.lrr", "did you mean --optimizer.lr?"),
        ("--model.lr", "did you mean --optimizer.lr?"),
        ("--optimiser.lr", "did you mean --optimizer.lr?"),
        ("--epoch", "did you mean --epochs?"),
        ("--batchsize", "did you mean --batch-size?"),
        ("--model", "did you mean --model.kind?"),
        ("--optimizer", "did you mean --optimizer.kind?"),
        ("--hidden", "did you mean --model.hidden?"),
        ("--trainer.momentum", "did you mean --optimizer.momentum?"),
        ("--nam", "did you mean --name?"),
        ("--preset", "dltui train --help lists all"),
        ("--qwxz", "dltui train --help lists all"),
    ],
)
def test_an_unknown_flag_names_the_nearest_known_one(flag: str, hint: str) -> None:
    assert refusal(flag, "1") == f"unknown flag {flag}; {hint}"


def test_a_flag_without_its_value_says_what_it_wants() -> None:
    assert refusal("--optimizer.lr") == "--optimizer.lr wants a value: number, above 0, at most 100"
    assert refusal("--epochs", "--seed", "1").startswith("--epochs wants a value: integer, at least 1")
    assert refusal("--batch-size").endswith(", or full")
    assert refusal("--model.kind").startswith("--model.kind wants a value: linear or mlp or ")
    assert refusal("--model.activation").endswith("none or relu or tanh or sigmoid or gelu")


def test_what_a_terminal_would_obey_is_not_said_back() -> None:
    assert "\x1b" not in refusal("--\x1b]0;x\x07", "1")


def test_every_field_of_every_kind_has_a_flag_that_sets_it() -> None:
    for flag in setting_flags():
        (section,) = settings(f"{flag}=1")
        assert section in SECTIONS
    assert sum(len(specs(section)) for section in SECTIONS) < len(setting_flags())


def test_the_list_of_settings_has_every_field_and_keeps_to_its_width() -> None:
    text = all_settings(80)
    for section in SECTIONS:
        for spec in specs(section).values():
            assert spec.name.replace("_", "-") in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_settings_of_a_preset_are_its_own_with_its_values() -> None:
    text = settings_of(load_preset("spiral-relu").config, 100)
    assert "--model.hidden 100 " in text
    assert "--batch-size full " in text
    assert "--optimizer.beta1 0.9 " in text
    assert "momentum" not in text.replace("momentum.", "")
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("argv", "args"),
    [
        (["--model.args", "{width = 32}"], {"width": 32}),
        (["--model.args", "width = 32, depth = 2"], {"width": 32, "depth": 2}),
        (["--model.args.width", "32", "--model.args.act", "relu"], {"width": 32, "act": "relu"}),
        (["--model.args", "{width = 32}", "--model.args.on-top=[1, 2]"], {"width": 32, "on-top": [1, 2]}),
        (["--model.args.a_b", '"32"'], {"a_b": "32"}),
        (["--model.args", "nonsense"], "nonsense"),
    ],
)
def test_arguments_of_a_users_own_code(argv: list[str], args: object) -> None:
    assert settings(*argv) == {"model": {"args": args}}


def test_a_table_is_asked_for_by_example() -> None:
    assert refusal("--model.args") == "--model.args wants a value: table in TOML, as in '{width = 32}'"
    assert refusal("--model.hidden.x", "1").startswith("unknown flag --model.hidden.x")


@pytest.mark.parametrize(
    ("text", "gap"), [("64,,32", 1), ("64, ,32", 1), (",64", 0), ("64,", 1), ("[64, 32,]", 2), (",", 0)]
)
@pytest.mark.parametrize("preset", ["digits-mlp", "mnist-cnn"])
def test_a_list_with_a_gap_is_refused_and_the_gap_named(preset: str, text: str, gap: int) -> None:
    """A shell leaves one where a variable is not set; what is trained must not have a layer less than was meant."""
    _, settings = take_settings([f"--model.hidden={text}"], {})
    with pytest.raises(CommandError) as caught:
        resolve(preset, None, settings, None)
    told = str(caught.value).partition("; ")[0]
    assert told == f"model.hidden.{gap}: is empty: give a whole number there, or leave out a comma"


@pytest.mark.parametrize(
    ("preset", "argv", "hidden"),
    [
        ("digits-mlp", ["--model.hidden", "32"], [32]),
        ("digits-mlp", ["--model.hidden", " [ 32 , 16 ] "], [32, 16]),
        ("digits-mlp", ["--model.hidden", "32 16"], [32, 16]),
        ("digits-mlp", ["--model.hidden", "32,16"], [32, 16]),
        ("rnn-hello", ["--model.hidden", "4"], 4),
        ("imdb-lstm", ["--model.kind", "lstm", "--model.hidden=16"], 16),
        ("mnist-mlp", ["--model.kind", "cnn", "--model.hidden", "64"], [64]),
    ],
)
def test_a_field_is_read_as_the_kind_of_the_preset_wants_it(preset: str, argv: list[str], hidden: object) -> None:
    _, settings = take_settings(argv, {})
    model: Any = resolve(preset, None, settings, None).config.model
    assert model.hidden == hidden

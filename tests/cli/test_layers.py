"""`dltui show PRESET --layers`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.schema.layers import Layer
from tests.cli.conftest import Dltui, make_run
from tests.engine.user_code import NET, write
from tui import layers as module
from tui.layer_table import NOTE, layer_table

RING = """
[data]
kind = "custom"
target = "my_net.py:load"
[model]
kind = "custom"
target = "my_net.py:Net"
"""


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known needs no torch."""

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "run", refuse)


def test_a_presets_layers_are_a_table_with_totals(dltui: Dltui, no_process: None) -> None:
    done = dltui("show", "spiral-relu", "--layers")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [
        "layer        output  parameters  multiply-adds",
        "flatten      2                0              0",
        "hidden1      100            300            200",
        "activation1  100              0              0",
        "output       3              303            300",
        "in all                      603            500",
        "",
        NOTE,
    ]


def test_settings_and_runs_and_json(dltui: Dltui, no_process: None) -> None:
    make_run("mine")
    for name in ("spiral-relu", "mine"):
        tree = json.loads(dltui("show", name, "--layers", "--json", "--model.hidden", "10,20").out)
        assert [layer["name"] for layer in tree["layers"]][-2:] == ["activation2", "output"]
        assert tree["layers"][1] == {"name": "hidden1", "output_shape": [10], "parameters": 30, "multiply_adds": 20}
        assert tree["parameters"] == 30 + 220 + 63
        assert tree["multiply_adds"] == 20 + 200 + 60


def test_a_name_that_is_nothing_is_refused(refused: Callable[..., str]) -> None:
    assert refused("show", "qqqqqq", "--layers").startswith("no preset and no run is called 'qqqqqq'; ")
    assert refused("show", "spiral-rel", "--layers").endswith("did you mean 'spiral-relu'?")
    assert refused("show", "spiral-relu").endswith("its network: dltui show spiral-relu --layers")
    make_run("mine")
    assert refused("show", "mine", "--model.hidden", "3").startswith("settings go with --layers")
    assert refused("show", "mine", "--layers", "--lr", "3") == "unknown flag --lr; did you mean --optimizer.lr?"


def test_a_users_network_is_built_elsewhere(dltui: Dltui, tmp_path: Path) -> None:
    write(tmp_path, NET)
    write(tmp_path, RING, "my.toml")
    done = dltui("show", str(tmp_path / "my.toml"), "--layers", "--model.args.width", "4")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[1:5] == [
        "hidden  4               12              8",
        "norm    4                8              0",
        "output  2               10              8",
        "in all                  30             16",
    ]


def test_a_users_network_that_fails_shows_its_own_traceback(dltui: Dltui, tmp_path: Path) -> None:
    write(tmp_path, "raise ValueError('boom')")
    write(tmp_path, RING, "my.toml")
    done = dltui("show", str(tmp_path / "my.toml"), "--layers")
    assert (done.status, done.out) == (1, "")
    assert done.err.splitlines()[1].endswith('my_net.py", line 1, in <module>')
    assert done.err.splitlines()[-1] == "dltui: my_net.py: ValueError: boom"


def test_a_process_that_is_gone_is_told_of(dltui: Dltui, tmp_path: Path) -> None:
    write(tmp_path, "import os\nos._exit(7)")
    write(tmp_path, RING, "my.toml")
    done = dltui("show", str(tmp_path / "my.toml"), "--layers")
    assert (done.status, done.out) == (1, "")
    assert done.err == "dltui: the process that was to build the network ended before it could answer, with status 7\n"


def test_no_process_at_all_is_told_of(dltui: Dltui, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, RING, "my.toml")
    monkeypatch.setattr(module, "PROBE", (str(tmp_path / "nothing"),))
    done = dltui("show", str(tmp_path / "my.toml"), "--layers")
    assert done.status == 1
    assert done.err.startswith("dltui: no process can be started to build the network")


def test_a_narrow_table_keeps_its_numbers_and_the_end_of_names() -> None:
    layers = [Layer("encoder.layers.0.attention.out_proj", (8, 64), 1_234_567, 9_876_543_210), Layer("x\x1b", ())]
    lines = layer_table(layers).lines(50)
    assert max(map(len, lines)) <= 50
    assert lines[1].startswith("…") and lines[1].endswith("1,234,567  9,876,543,210")
    assert "out_proj"[-5:] in lines[1]
    assert "\N{REPLACEMENT CHARACTER}" in lines[2] and "—" in lines[2]

"""A user's own code in a process of its own: what it prints, and what it takes down."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from engine.places import runs_dir
from engine.run_folder import RunFolder
from tests.e2e.processes import DLTUI, dltui, shown, wait_until
from tests.engine.user_code import NET, write

PRESET = """
[data]
kind = "custom"
target = "my_net.py:load"
[model]
kind = "custom"
target = "my_net.py:Net"
[trainer]
threads = 1
device = "cpu"
"""
FALL = """
    def forward(self, x):
        if self.training:
            print("about to fall")
            {}
        return self.output(self.norm(self.hidden(x).tanh()))
"""


def detached(folder: Path, fall: str) -> Path:
    """The folder of a run that was trained in the background until its network fell."""
    write(folder, NET.partition("    def forward")[0] + FALL.format(fall) + "\ndef load" + NET.partition("def load")[2])
    command = [*DLTUI, "train", str(write(folder, PRESET, "my.toml")), "--name", "r", "--detach"]
    started = subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    # it may fall before anybody has looked, or before it can be said that it trains
    told = any(word in started.stderr for word in ("has not started: ", "failed: "))
    assert started.returncode == 0 or told, started.stderr
    wait_until(lambda: not RunFolder(runs_dir() / "r").holder(), "the end of the run")
    return runs_dir() / "r"


@pytest.mark.parametrize(
    ("fall", "words"), [("import os; os._exit(5)", ""), ("import ctypes; ctypes.string_at(0)", "Fatal Python error")]
)
def test_a_process_that_is_gone_is_a_run_that_died(tmp_path: Path, fall: str, words: str) -> None:
    folder = detached(tmp_path, fall)
    assert shown("r")["state"] == "died"
    assert json.loads(dltui("runs", "--json"))[0]["state"] == "died"
    console = (folder / "console.log").read_text()
    assert console.startswith("about to fall\n")
    assert words in console


def test_an_exception_is_shown_with_the_users_own_traceback(tmp_path: Path) -> None:
    folder = detached(tmp_path, "raise ValueError('boom')")
    text = dltui("show", "r")
    assert "failed: ValueError: boom (my_net.py, line " in text
    assert "/my_net.py" in text and "engine/" not in text
    console = (folder / "console.log").read_text()
    assert console.startswith("about to fall\n")
    assert console.endswith("in forward)\n")


def test_what_a_network_prints_is_not_in_the_way_of_the_result(tmp_path: Path) -> None:
    write(
        tmp_path,
        NET.replace("        return self.output", "        print('step done', end=' ')\n        return self.output"),
    )
    preset = str(write(tmp_path, PRESET, "my.toml"))
    assert json.loads(dltui("train", preset, "--epochs", "1", "--json"))["state"] == "finished"

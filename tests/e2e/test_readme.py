"""The README's examples, trained as the README says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.places import runs_dir
from engine.run_folder import RunFolder
from tests.e2e.processes import DLTUI, wait_until

README = Path(__file__).resolve().parents[2] / "README.md"
FEW = ("--epochs", "4", "--threads", "1", "--device", "cpu")


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A folder with the files that the README shows."""
    section = README.read_text("utf-8").partition("## Your own network and data")[2].partition("\n## ")[0]
    (python,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    (toml,) = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "my_net.py").write_text(python)
    (folder / "my.toml").write_text(toml)
    return folder


def dltui(folder: Path, *argv: str) -> str:
    """What `dltui argv` prints, run in `folder`."""
    done = subprocess.run([*DLTUI, *argv], cwd=folder, capture_output=True, text=True, timeout=120, env=os.environ)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readmes_example_trains_and_is_resumed_from_anywhere(example: Path, tmp_path: Path) -> None:
    result = json.loads(dltui(example, "train", "./my.toml", *FEW, "--name", "r", "--json").splitlines()[-1])
    assert result["state"] == "finished"
    assert result["metrics"]["val/accuracy"] > 0.8
    config = RunFolder(runs_dir() / "r").config()
    assert config.model.kind == "custom" and config.model.target == f"{example}/my_net.py:Net"
    again = dltui(tmp_path, "train", "--config", str(runs_dir() / "r" / "config.toml"), "--name", "s", "--json")
    assert json.loads(again.splitlines()[-1])["metrics"]["val/loss"] == result["metrics"]["val/loss"]


def test_the_readmes_example_trains_in_the_background_from_another_folder(example: Path, tmp_path: Path) -> None:
    dltui(tmp_path, "train", "mine/my.toml", *FEW, "--name", "r", "--detach", "--model.args.width", "8")
    wait_until(lambda: not RunFolder(runs_dir() / "r").holder(), "the end of the run")
    shown = json.loads(dltui(tmp_path, "show", "r", "--json"))
    assert shown["state"] == "finished"
    layers = json.loads(dltui(Path("/"), "show", "r", "--layers", "--json"))
    assert layers["parameters"] == 3 * 8 + 9 * 2


def test_the_readmes_python_trains_without_a_screen_and_knows_the_run_again(tmp_path: Path) -> None:
    section = README.read_text("utf-8").partition("## The first five minutes")[2].partition("\n## ")[0]
    (python,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    command = [sys.executable, "-c", python]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("RunFinished(")
    assert RunFolder(tmp_path / "runs" / "from-python").config().optimizer.lr == 0.003
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, env=os.environ)
    assert again.stderr.splitlines()[-1].startswith("engine.run_errors.RunFolderError: run 'from-python' is finished")

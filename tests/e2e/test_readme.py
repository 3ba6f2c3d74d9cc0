"""The README's examples, trained as the README says."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from engine.places import runs_dir
from engine.run_folder import RunFolder
from tests.e2e.processes import DLTUI, wait_until

README = Path(__file__).resolve().parents[2] / "README.md"
ONE = ("--epochs", "1", "--threads", "1", "--device", "cpu")
FEW = ("--epochs", "4", "--threads", "1", "--device", "cpu")


def section(title: str) -> str:
    """The README's text below a heading."""
    return README.read_text("utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A folder with the files that the README shows."""
    text = section("Your own network and data")
    (python,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (toml,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
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


@pytest.fixture
def own_data(tmp_path: Path) -> Path:
    """A folder with the files that the README's commands name."""
    rows = range(30)
    (tmp_path / "table.csv").write_text("a,b,y\n" + "".join(f"{row},{row % 7},{row % 2}\n" for row in rows))
    (tmp_path / "prices.csv").write_text("".join(f"{row},{row % 7},{row / 2}\n" for row in rows))
    (tmp_path / "reviews.tsv").write_text("".join(f"{'good' if row % 2 else 'bad'}\tfilm {row}\n" for row in rows))
    for place in ("train/ants", "train/bees", "val/ants", "val/bees"):
        (tmp_path / "pictures" / place).mkdir(parents=True)
        for row in range(4):
            Image.new("RGB", (40, 50), (60 * row, 9, 9)).save(tmp_path / "pictures" / place / f"{row}.png")
    (python,) = re.findall(r"```python\n(.*?)```", section("Your own network and data"), re.DOTALL)
    (tmp_path / "my_net.py").write_text(python)
    return tmp_path


def test_the_readmes_commands_train_on_data_of_ones_own(own_data: Path) -> None:
    (commands,) = re.findall(r"```sh\n(.*?)```", section("Your own data"), re.DOTALL)
    lines = [shlex.split(line.replace("/path/to", str(own_data))) for line in commands.splitlines()]
    assert len(lines) == 5
    for name, *argv in lines:
        assert name == "dltui"
        assert json.loads(dltui(own_data, *argv, *ONE, "--json").splitlines()[-1])["state"] == "finished"


def test_the_readmes_python_trains_without_a_screen_and_knows_the_run_again(tmp_path: Path) -> None:
    (python,) = re.findall(r"```python\n(.*?)```", section("The first five minutes"), re.DOTALL)
    command = [sys.executable, "-c", python]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("RunFinished(")
    assert RunFolder(tmp_path / "runs" / "from-python").config().optimizer.lr == 0.003
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, env=os.environ)
    assert again.stderr.splitlines()[-1].startswith("engine.run_errors.RunFolderError: run 'from-python' is finished")

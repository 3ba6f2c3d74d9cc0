"""`dltui train` and `dltui resume`: configurations made up of several sources, and runs in the foreground."""

from __future__ import annotations

import io
import json
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from engine import events as ev
from engine.data import DataError, mnist
from engine.data.download import Download
from engine.places import data_dir, runs_dir
from engine.run_folder import RunFolder, RunLocked, create_run
from tests.cli.conftest import Dltui, make_run, record
from tests.engine.test_run_state import logged, started
from tui import train
from tui.cli import main
from tui.errors import CommandError
from tui.launcher import HostDeath, Launcher

Refused = Callable[..., str]


@pytest.fixture
def resolved(dltui: Dltui) -> Callable[..., dict[str, Any]]:
    """The configuration that `train --dry-run` prints."""

    def run(*arguments: str) -> dict[str, Any]:
        done = dltui("train", *arguments, "--dry-run")
        assert (done.status, done.err) == (0, "")
        return tomllib.loads(done.out)

    return run


Resolved = Callable[..., dict[str, Any]]


def test_flags_lie_over_the_file_and_the_file_over_the_preset(resolved: Resolved, tmp_path: Path) -> None:
    file = tmp_path / "part.toml"
    file.write_text("[optimizer]\nlr = 0.5\n[trainer]\nepochs = 7\n[schedule]\nwarmup = 0.1\n")
    tree = resolved("spiral-relu", "--config", str(file), "--epochs", "9", "--schedule.warmup=0.2")
    assert tree["optimizer"]["lr"] == 0.5
    assert tree["optimizer"]["weight_decay"] == 1e-5
    assert tree["trainer"]["epochs"] == 9
    assert tree["schedule"] == {"kind": "constant", "warmup": 0.2}


def test_another_kind_drops_the_fields_of_the_presets(resolved: Resolved) -> None:
    tree = resolved("spiral-relu", "--optimizer.kind", "sgd", "--optimizer.momentum", "0.9")
    assert tree["optimizer"] == {
        "kind": "sgd",
        "lr": 0.01,
        "weight_decay": 0.0,
        "decay": "all",
        "momentum": 0.9,
        "nesterov": False,
    }
    assert resolved("spiral-relu", "--model.kind", "linear")["model"]["kind"] == "linear"


@pytest.mark.parametrize("preset", ["digits-mlp", ""])
def test_what_a_dry_run_prints_config_takes_back(dltui: Dltui, tmp_path: Path, preset: str) -> None:
    first = dltui("train", "spiral-relu", "--epochs", "3", "--model.hidden", "8,8", "--data", "/some/data", "--dry-run")
    file = tmp_path / "whole.toml"
    file.write_text(first.out)
    again = dltui("train", *filter(None, [preset]), "--config", str(file), "--dry-run")
    assert again == first


def test_a_dry_run_as_json_holds_the_same(dltui: Dltui, resolved: Resolved) -> None:
    assert json.loads(dltui("train", "spiral-relu", "--dry-run", "--json").out) == resolved("spiral-relu")


def test_a_runs_own_configuration_is_a_file_and_a_preset(resolved: Resolved) -> None:
    path = str(make_run("one").path / "config.toml")
    for arguments in (["digits-mlp", "--config", path], ["--config", path], [path]):
        tree = resolved(*arguments, "--epochs", "3")
        assert (tree["preset"], tree["data_dir"], tree["trainer"]["epochs"]) == ("spiral-relu", str(data_dir()), 3)
    assert resolved("--config", path, "--data", "/other")["data_dir"] == "/other"
    assert "data_dir" not in resolved("spiral-relu")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[optimizer]\nlr = 0\n", "{file}: optimizer.lr: must be above 0 (got 0)"),
        ("[optimizer]\nlrr = 1\n", "{file}: optimizer.lrr: unknown key of optimizer 'adam'; did you mean 'lr'?"),
        ("[optimiser]\nlr = 1\n", "{file}: optimiser: unknown key; did you mean 'optimizer'?"),
        ("[task]\nkind = 'regression'\n", "{file}: task.kind: data 'spiral' has classes as targets"),
        ("model = 5\n", "{file}: model: must be a table of settings (got 5)"),
        ("data_dir = 5\n", "{file}: data_dir must be the path of a folder"),
        ("[optimizer\n", "{file}: "),
        ("extends = 'digits-mlp'\n", "{file}: extends: unknown key"),
    ],
)
def test_what_a_file_got_wrong_is_blamed_on_the_file(
    refused: Refused, tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "part.toml"
    file.write_text(content)
    assert refused("train", "spiral-relu", "--config", str(file)).startswith(message.format(file=file))


def test_what_a_flag_got_wrong_is_not_blamed_on_the_file(refused: Refused, tmp_path: Path) -> None:
    file = tmp_path / "part.toml"
    file.write_text("[optimizer]\nlr = 0.5\n")
    told = refused("train", "spiral-relu", "--config", str(file), "--optimizer.lr", "0", "--batch-size", "0")
    assert told == "optimizer.lr: must be above 0 (got 0); trainer.batch_size: must be at least 1 or full (got 0)"


@pytest.mark.parametrize("name", ["none.toml", "folder"])
def test_a_file_that_can_not_be_read_is_named(refused: Refused, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    assert refused("train", "spiral-relu", "--config", str(tmp_path / name)).startswith(f"{tmp_path / name}: ")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--name", "../up"], "'../up' is no name for a run: use letters, digits"),
        (["--name", "taken"], "run 'taken' exists: choose another --name, or go on with it: dltui resume taken"),
        (["--runs", "/dev/null/runs"], "can't make a run in /dev/null/runs: Not a directory; choose another folder"),
    ],
)
def test_a_run_that_can_not_be_made_leaves_nothing(refused: Refused, argv: list[str], message: str) -> None:
    make_run("taken")
    assert refused("train", "spiral-relu", "--epochs", "1", *argv).startswith(message)
    assert refused("train", "spiral-relu", "--epochs", "1", "--detach", *argv).startswith(message)
    assert [path.name for path in runs_dir().iterdir()] == ["taken"]


def test_training_ends_with_one_line_of_json(dltui: Dltui) -> None:
    done = dltui("train", "spiral-relu", "--epochs", "5", "--device", "cpu", "--name", "quick", "--json")
    assert done.status == 0
    result = json.loads(done.out.splitlines()[-1])
    assert {"run", "dir", "state", "epochs", "steps", "steps_per_s", "elapsed_s", "metrics", "best"} <= result.keys()
    assert (result["run"], result["state"], result["epochs"], result["steps"]) == ("quick", "finished", 5, 5)
    assert {"train/loss", "val/loss", "val/accuracy"} <= result["metrics"].keys()
    shown = json.loads(dltui("show", "quick", "--json").out)
    assert shown == result


def test_a_run_that_fails_is_1_and_says_why(dltui: Dltui, tmp_path: Path) -> None:
    """Code that breaks is no wrong usage: its traceback is wanted, and the run may be resumed once it is mended."""
    file = tmp_path / "my.py"
    file.write_text("def load(seed):\n    return 1 / 0\n")
    argv = ["--data.kind=custom", f"--data.target={file}:load"]
    done = dltui("train", "spiral-relu", "--epochs", "1", *argv, "--json")
    assert done.status == 1
    assert done.err.splitlines()[-1] == "dltui: load in my.py: ZeroDivisionError: division by zero"
    assert "return 1 / 0" in done.err
    assert json.loads(done.out.splitlines()[-1])["state"] == "failed"
    assert "failed" in dltui("runs").out


TABLE = ("--task.kind=binary-classification", "--data.kind=csv")
UNFIT = {
    "no file": ([*TABLE, "--data.path={here}/none.csv"], "{here}/none.csv is not there: set data.path to a .csv or"),
    "no numbers": ([*TABLE, "--data.path={here}/table.csv"], "{here}/table.csv, line 2, column 2: 'oops' is not a num"),
    "no device": (["--trainer.device=cuda:77"], "device 'cuda:77' was asked for, but "),
    "no code": (
        ["--model.kind=custom", "--model.target={here}/none.py:Net"],
        "{here}/none.py is not there: mend the path be",
    ),
    "no class": (["--model.kind=custom", "--model.target={here}/my.py:Net"], "there is no 'Net' in my.py; did you mea"),
    "no such argument": (
        ["--model.kind=custom", "--model.target={here}/my.py:net", "--model.args.x=1"],
        "net in my.py: got an unexpected keyword argument 'x'; give it no args",
    ),
    "not the data's shape": (
        ["--model.kind=custom", "--model.target={here}/my.py:wide"],
        "wide in my.py gave (2, 7) for data with 3 classes: wanted (2, 3)",
    ),
}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a table and with code that can't be used."""
    (tmp_path / "table.csv").write_text("1,2,0\n3,oops,1\n")
    (tmp_path / "my.py").write_text(
        "from torch import nn\ndef net():\n    pass\ndef wide():\n    return nn.Linear(2, 7)\n"
    )
    return tmp_path


@pytest.mark.parametrize("unfit", UNFIT)
@pytest.mark.parametrize("flags", [(), ("--json",), ("--name", "mine")])
def test_what_only_the_engine_finds_unfit_is_wrong_usage_and_leaves_nothing(
    refused: Refused, here: Path, unfit: str, flags: tuple[str, ...]
) -> None:
    argv, message = UNFIT[unfit]
    told = refused("train", "spiral-relu", "--epochs", "1", *(word.format(here=here) for word in argv), *flags)
    assert told.startswith(message.format(here=here))
    assert not runs_dir().exists() or list(runs_dir().iterdir()) == []


def test_a_file_that_is_not_there_starts_nothing_in_the_background_either(refused: Refused, here: Path) -> None:
    told = refused("train", "spiral-relu", *TABLE, f"--data.path={here}/none.csv", "--detach")
    assert told == f"{here}/none.csv is not there: set data.path to a .csv or .csv.gz file"
    assert not runs_dir().exists()


def test_data_that_can_not_be_had_is_wrong_usage_and_leaves_nothing(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(download: Download) -> None:
        raise DataError(f"{download.target.name} could not be downloaded")

    monkeypatch.setattr(mnist, "fetch", fetch)
    assert refused("train", "mnist-mlp", "--epochs", "1").startswith("train-images-idx3-ubyte.gz could not be download")
    assert list(runs_dir().iterdir()) == []


def test_the_reason_stays_where_a_run_can_not_be_taken_back(
    dltui: Dltui, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when somebody who looked on has resumed it."""

    def held(folder: RunFolder) -> None:
        raise RunLocked(f"run '{folder.name}' is being trained by another process")

    monkeypatch.setattr(RunFolder, "discard", held)
    done = dltui("train", "spiral-relu", *TABLE, f"--data.path={here}/table.csv", "--name", "kept", "--json")
    assert done.status == 1
    assert done.err.splitlines()[-1].startswith(f"dltui: {here}/table.csv, line 2")
    assert json.loads(done.out)["state"] == "failed"
    assert json.loads(dltui("show", "kept", "--json").out)["error"].startswith(f"{here}/table.csv, line 2")


def test_a_run_from_before_stays_though_its_data_is_gone(dltui: Dltui, here: Path) -> None:
    """Whether it was never trained, as one that was started in the background, or has a checkpoint."""
    table = here / "table.csv"
    table.write_text("1,2,0\n3,4,1\n5,6,0\n7,8,1\n")
    argv = ["train", "spiral-relu", *TABLE, f"--data.path={table}", "--epochs", "3"]
    assert dltui(*argv, "--name", "trained").status == 0
    trained = RunFolder(runs_dir() / "trained")
    lines = (trained.path / "events.jsonl").read_bytes().splitlines(keepends=True)
    (trained.path / "events.jsonl").write_bytes(b"".join(line for line in lines if b"RunFinished" not in line))
    fresh = create_run(runs_dir(), trained.config(), data_dir(), "fresh")
    table.unlink()
    for name in ("trained", "fresh"):
        done = dltui("resume", name)
        assert done.status == 1
        assert done.err.splitlines()[-1].startswith(f"dltui: {table} is not there")
        assert json.loads(dltui("show", name, "--json").out)["state"] == "failed"
    table.write_text("1,2,0\n3,4,1\n5,6,0\n7,8,1\n")
    assert dltui("resume", fresh.name).status == 0


def test_a_replay_without_its_data_is_wrong_usage_and_leaves_nothing(
    dltui: Dltui, refused: Refused, here: Path
) -> None:
    table = here / "table.csv"
    table.write_text("1,2,0\n3,4,1\n5,6,0\n7,8,1\n")
    argv = ["train", "spiral-relu", *TABLE, f"--data.path={table}", "--epochs", "3", "--device", "cpu", "--name", "one"]
    assert dltui(*argv).status == 0
    table.unlink()
    assert refused("replay", "one").startswith(f"{table} is not there")
    assert [path.name for path in runs_dir().iterdir()] == ["one"]


def test_what_a_foreground_run_says_is_plain_text(dltui: Dltui, tmp_path: Path) -> None:
    """Whatever a user's code raises, and whatever a stranger's log calls its metrics."""
    file = tmp_path / "my.py"
    file.write_text("def load(seed):\n    raise ValueError('\\x1b[2Jgone')\n")
    done = dltui("train", "spiral-relu", "--data.kind=custom", f"--data.target={file}:load")
    assert done.status == 1
    assert "[2Jgone" in done.err and "\x1b" not in done.err
    strange = ev.MetricsLogged(step=1, steps=1, elapsed_s=1, lr=0.1, values={"train/loss\x1b[2J": 0.5})
    folder = make_run("strange", started(), strange, ev.EpochEnded(step=1, epoch=1, elapsed_s=1.0))
    config = folder.path / "config.toml"
    config.write_text(
        config.read_text().replace("epochs = 1000", "epochs = 2").replace('device = "auto"', 'device = "cuda:77"')
    )
    done = dltui("resume", "strange")
    assert done.status == 1
    assert "[2J" in done.out and "\x1b" not in done.out + done.err


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("how", [("--detach",), ()])
def test_a_person_is_told_at_once_that_it_begins(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, how: tuple[str, ...]
) -> None:
    """Before anything is started, or torch imported, which takes seconds."""
    said, said_by_then = io.StringIO(), list[str]()
    monkeypatch.setattr(said, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys, "stderr", said)

    def refuse(*_: object) -> NoReturn:
        said_by_then.append(said.getvalue())
        raise CommandError("not now", 1)

    monkeypatch.setattr(Launcher, "spawn", refuse)
    monkeypatch.setattr(train, "importing_torch", refuse)
    assert main(["train", "spiral-relu", "--name", "mine", *how]) == 1
    assert said_by_then == ["starting mine …\n" if is_terminal else ""]


def test_resuming_goes_on_to_the_end(dltui: Dltui) -> None:
    folder = make_run("again")
    config = folder.path / "config.toml"
    config.write_text(config.read_text().replace("epochs = 1000", "epochs = 20"))
    assert dltui("resume", "again").status == 0
    assert RunFolder(folder.path).read_events().read()[-1].step == 20


def test_a_run_that_has_ended_or_is_held_is_not_resumed(refused: Refused) -> None:
    make_run("done", started(), ev.RunFinished(step=40, elapsed_s=1.0))
    told = refused("resume", "done")
    assert told.startswith("run 'done' is finished, at step 40; for a longer one: dltui train --config ")
    assert told.endswith("--epochs 8")
    held = make_run("held", started(), logged(1))
    lock = held.lock()
    assert "run 'held' is being trained by pid " in refused("resume", "held")
    lock.release()


class StandIn:
    """A launcher whose host writes `told` into the log and, if it is `over`, is gone then."""

    def __init__(self, *told: ev.AnyEvent, over: bool = False) -> None:
        self.told, self.over, self.folder = told, over, RunFolder(runs_dir())

    def spawn(self, folder: RunFolder) -> int:
        self.folder = folder
        record(folder, *self.told)
        return 8

    def training(self) -> list[RunFolder]:
        return [] if self.over else [self.folder]

    def deaths(self) -> list[HostDeath]:
        return []


def test_of_two_that_resume_a_run_at_the_same_time_one_is_refused(
    dltui: Dltui, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run("one", started(), logged(1))
    monkeypatch.setattr(train, "Launcher", lambda: StandIn(started(1, pid=7, host="box"), over=True))
    told = refused("resume", "one", "--detach")
    assert told == "run 'one' is being trained by pid 7 on box; to see it: dltui attach one"
    monkeypatch.setattr(train, "Launcher", lambda: StandIn(started(1, pid=8), over=True))
    assert dltui("resume", "one", "--detach").out == "one\n"


def test_a_rate_that_was_asked_for_at_the_same_time_as_another_is_told_of(
    dltui: Dltui, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run("one", started(), logged(1))
    monkeypatch.setattr(train, "RATE_WITHIN_S", 0.1)
    at_rate = StandIn(started(1, pid=8), ev.LearningRateChanged(step=1, old=0.1, new=0.5))
    monkeypatch.setattr(train, "Launcher", lambda: at_rate)
    assert dltui("resume", "one", "--detach", "--lr", "0.5").out == "one\n"
    done = dltui("resume", "one", "--detach", "--lr", "0.25")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("dltui: run 'one' goes on, but not at optimizer.lr 0.25: somebody else asked for ")
    assert done.err.endswith("; to change it: dltui set one optimizer.lr=0.25\n")


def test_a_damaged_configuration_is_not_resumed(refused: Refused) -> None:
    folder = make_run("hurt", started(), logged(1))
    (folder.path / "config.toml").write_text("[oops")
    assert "config.toml is damaged" in refused("resume", "hurt")
    assert "config.toml is damaged" in refused("resume", "hurt", "--detach")


def test_a_users_code_is_named_from_where_it_was_written(
    dltui: Dltui, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative to the file that --config names, and to the current folder on the command line."""
    (tmp_path / "here").mkdir()
    (tmp_path / "over.toml").write_text('[data]\nkind = "custom"\ntarget = "my.py:load"\n')
    monkeypatch.chdir(tmp_path / "here")
    setting = ("--model.kind", "custom", "--model.target", "my.py:Net", "--model.args.width", "3")
    done = dltui("train", "spiral-relu", "--config", "../over.toml", *setting, "--dry-run", "--json")
    tree = json.loads(done.out)
    assert tree["data"]["target"] == f"{tmp_path}/my.py:load"
    assert tree["model"] == {"kind": "custom", "target": f"{tmp_path}/here/my.py:Net", "args": {"width": 3}}

"""Runs, presets and checkpoints from strangers: nothing in them is executed, and what they lead to is left alone."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from engine import commands as cmd
from engine import events as ev
from engine.checkpoint import STATE, WEIGHTS, Checkpoint, CheckpointError, CheckpointStore, load_checkpoint
from engine.data.bundle import DataError
from engine.data.cifar10 import ARCHIVE, FOLDER, load_cifar10
from engine.figures import FigureError, load_figure
from engine.places import runs_dir, user_presets_dir
from engine.run_folder import RunFolder, RunFolderError, RunLock
from engine.schema.image_data import Cifar10
from engine.session import Session
from presets import PresetError, load_preset, load_presets, save_preset
from tests.cli.conftest import Dltui, make_run
from tests.cli.conftest import dltui as dltui
from tests.faults.mutations import Watch
from tests.faults.traps import TRAPS, RunsCode, is_untouched, make_outside, pickles
from tests.tui import scripted as s
from tui import cli
from tui.launcher import Launcher
from tui.widgets.figure_view import read_figure

Times = Callable[[int, int], int]
Tally = Callable[[str, int], None]
FILES = ("events.jsonl", "commands.jsonl", "config.toml", "lock", "console.log", ".reserve", "figures", "checkpoints")

ELSEWHERE = (
    *("../secret.npz", "/etc/passwd", "../../../../../../etc/passwd", "figures/../../secret.npz", "out/secret.npz"),
    *("loop", "", ".", "..", "figures", "\x00", "x" * 900, "figures/pipe", "figures/zero", "figures/away.npz"),
)


@pytest.fixture(autouse=True)
def _keep_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that ends with an error lets its process's output go, which here is that of the tests."""
    monkeypatch.setattr(cli, "discard", lambda *_: None)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """What hostile code would make."""
    return tmp_path / "made by hostile code"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that must stay as it is."""
    return make_outside(tmp_path)


@pytest.fixture
def run() -> RunFolder:
    """A run that was stopped."""
    rows = [ev.MetricsLogged(step=1, steps=1, elapsed_s=0.1, lr=0.1, values={"train/loss": 1.0})]
    return make_run("strange", s.started(), *rows, ev.RunStopped(step=1, elapsed_s=0.1, reason="asked"))


# --- nothing is executed --------------------------------------------------------------------------------------------


def test_the_pickles_used_here_do_run_code(marker: Path) -> None:
    for name, data in pickles(marker).items():
        pickle.loads(data)
        assert marker.is_dir(), name
        marker.rmdir()


def test_pickles_in_checkpoints_are_refused_by_name(tmp_path: Path, marker: Path, tally: Tally) -> None:
    CheckpointStore(tmp_path).save_last(Checkpoint(3, {"net.weight": torch.zeros(2)}, {}))
    folder, count = (tmp_path / "last").resolve(), 0
    for data in pickles(marker).values():
        for path, content in ((folder / STATE, data), (folder / STATE, _zipped(data)), (folder / WEIGHTS, data)):
            whole = path.read_bytes()
            path.write_bytes(content)
            with pytest.raises(CheckpointError, match=str(tmp_path / "last")):
                load_checkpoint(tmp_path / "last")
            path.write_bytes(whole)
            assert not marker.exists()
            count += 1
    torch.save({"version": 1, "step": 3, "net": torch.nn.Linear(2, 2)}, folder / STATE)
    with pytest.raises(CheckpointError, match="refused: it holds more than data"):
        load_checkpoint(tmp_path / "last")
    tally("pickles that run code, refused", count)


def _zipped(data: bytes) -> bytes:
    """A pickle in the wrapping in which PyTorch saves."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in (("data.pkl", data), ("version", b"3"), ("byteorder", b"little")):
            archive.writestr(f"state/{name}", content)
    return file.getvalue()


def test_pickles_in_pictures_are_refused_by_name(tmp_path: Path, marker: Path) -> None:
    path = tmp_path / "strange.npz"
    np.savez(path, names=np.array([RunsCode(marker)], dtype=object))
    with pytest.raises(FigureError, match=r"strange\.npz can't be read"):
        load_figure(path)
    for data in pickles(marker).values():
        path.write_bytes(data)
        with pytest.raises(FigureError, match=r"strange\.npz"):
            load_figure(path)
    assert not marker.exists()


def test_pickles_in_data_are_refused_by_name(tmp_path: Path, marker: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    for data in pickles(marker).values():
        (tmp_path / FOLDER / "data_batch_1").write_bytes(data)
        with pytest.raises(DataError, match="data_batch_1"):
            load_cifar10(Cifar10(), 0, tmp_path)
    assert not marker.exists()


def test_a_strangers_code_is_run_by_no_viewer(dltui: Dltui, tmp_path: Path, marker: Path) -> None:
    code = tmp_path / "strange_net.py"
    code.write_text(f"import os; os.mkdir({str(marker)!r})\nclass Net: pass\n")
    preset = f'[data]\nkind = "spiral"\n[model]\nkind = "custom"\ntarget = "{code}:Net"\n'
    user_presets_dir().mkdir(parents=True)
    (user_presets_dir() / "strange.toml").write_text(preset)
    folder = make_run("strange", s.started(), preset="strange")
    said = [dltui(*line) for line in (["presets"], ["runs"], ["show", "strange"], ["train", "strange", "--dry-run"])]
    assert [done.status for done in said] == [0, 0, 0, 0]
    assert folder.config().model.kind == "custom"
    assert not marker.exists()
    subprocess.run([sys.executable, code], check=True)
    assert marker.exists()  # as it would if anybody had


# --- nothing outside is read or written -----------------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES)
def test_traps_in_a_run_are_told_of_and_hold_nobody_up(
    dltui: Dltui, run: RunFolder, outside: Path, file: str, tally: Tally
) -> None:
    watch, whole = Watch(), run.path.with_name(".whole")
    shutil.copytree(run.path, whole)
    for name, spring in TRAPS.items():
        _replace(run.path / file, lambda path, spring=spring: spring(path, outside))
        for line in (["runs"], ["runs", "--json"], ["show", "strange"], ["pause", "strange"], ["ask", "strange", "?"]):
            with watch.on(f"{file}: {name}: {line}"):
                done = dltui(*line)
            assert done.status in (0, 1, 2), (name, line, done)
            assert "secret" not in done.out + done.err, (name, line, done)
            assert done.err.count("\n") <= 2, (name, line, done)
            if done.status:
                assert done.err.startswith("dltui: ")
        with watch.on(f"{file}: {name}: engine"):
            _engine_takes(run)
        assert is_untouched(outside), name
        shutil.rmtree(run.path)
        shutil.copytree(whole, run.path)
    tally("pipes, devices, sockets and links in place of a run's files", len(TRAPS))


def _replace(path: Path, make: Callable[[Path], object]) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    make(path)


def _engine_takes(run: RunFolder) -> None:
    """All that an engine, and a viewer that starts one, writes before training begins."""
    for act in (lambda: run.ask(cmd.Pause()), lambda: run.lock().release(), lambda: Session(run)._lock.release()):
        try:
            act()
        except RunFolderError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("trap", ["pipe", "link to a file", "link to nothing", "device"])
def test_hosts_print_into_no_trap(run: RunFolder, outside: Path, trap: str) -> None:
    _replace(run.path / "console.log", lambda path: TRAPS[trap](path, outside))
    with Watch().on(trap), pytest.raises(OSError, match=r"a link|not a file"):
        Launcher().spawn(run)
    host = "import sys, pathlib, engine.host as h; h._redirect_output(pathlib.Path(sys.argv[1])); print('printed')"
    subprocess.run([sys.executable, "-c", host, run.path / "console.log"], check=True, timeout=60)
    assert is_untouched(outside)


def test_checkpoints_elsewhere_are_not_loaded(tmp_path: Path, run: RunFolder) -> None:
    CheckpointStore(tmp_path / "mine").save_last(Checkpoint(3, {"net.weight": torch.zeros(2)}, {}))
    for target in (tmp_path / "mine" / "last", Path("../../../mine/last"), Path("/")):
        (run.checkpoints / "last").unlink(missing_ok=True)
        (run.checkpoints / "last").symlink_to(target)
        with pytest.raises(CheckpointError, match=r"leads out of its run's folder|which is gone"):
            CheckpointStore(run.checkpoints).load_last()


@pytest.mark.parametrize("trap", sorted(TRAPS))
@pytest.mark.parametrize("file", [WEIGHTS, STATE])
def test_traps_in_checkpoints_are_told_of(tmp_path: Path, outside: Path, file: str, trap: str) -> None:
    store = CheckpointStore(tmp_path / "checkpoints")
    store.save_last(Checkpoint(3, {"net.weight": torch.zeros(2)}, {}))
    _replace(tmp_path / "checkpoints" / "last" / file, lambda path: TRAPS[trap](path, outside))
    with Watch().on(trap), pytest.raises(CheckpointError, match=r"checkpoints/last can't be read"):
        store.load_last()


@pytest.mark.parametrize("file", ELSEWHERE)
def test_pictures_are_read_from_their_run_only(run: RunFolder, file: str) -> None:
    np.savez(run.path.parent / "secret.npz", keys=np.array(["train/loss"]))
    (run.path / "out").symlink_to("..")
    (run.path / "loop").symlink_to("loop")
    os.mkfifo(run.figures / "pipe")
    (run.figures / "zero").symlink_to("/dev/zero")
    (run.figures / "away.npz").symlink_to(run.path.parent / "secret.npz")
    drawn = ev.FigureDrawn(step=1, name="x", kind="metrics", title="x", file=file)
    with Watch().on(file):
        figure = read_figure(run.path, drawn)
    assert figure.problem
    assert not figure.arrays
    assert "\n" not in figure.problem


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "..", ".", "a/b", "a\x00b", "-x", "x" * 81, "a\nb", "\x1b[2J", "é"])
def test_names_lead_nowhere(dltui: Dltui, name: str) -> None:
    runs_dir().mkdir(parents=True)
    before = sorted(runs_dir().parent.rglob("*"))
    done = dltui("train", "spiral-relu", f"--name={name}", "--epochs", "1")
    assert done.status == 2
    assert "is no name for a run" in done.err
    with pytest.raises(PresetError, match="is no name for a preset"):
        save_preset(name, load_preset("spiral-relu").tree)
    assert sorted(runs_dir().parent.rglob("*")) == before


@pytest.mark.parametrize("name", ["..", "../..", ".", "/", "/etc/passwd", "a\x00b", "x" * 5000, "\x1b[2J", ""])
def test_names_of_runs_are_looked_up_and_no_more(dltui: Dltui, name: str) -> None:
    runs_dir().mkdir(parents=True)
    for line in (["attach", name], ["show", name], ["resume", name], ["ask", name, "x"]):
        done = dltui(*line)
        assert done.status == 2, line
        assert done.err.startswith("dltui: no run '")
        assert done.err.count("\n") == 1
        assert "\x1b" not in done.err


def test_archives_are_unpacked_where_they_lie(tmp_path: Path, outside: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with tarfile.open(data / ARCHIVE, "w:gz") as archive:
        for name in (
            f"{FOLDER}/../../outside/made",
            f"{outside}/made",
            f"../{outside.name}/made",
            f"{FOLDER}/test_batch",
        ):
            member = tarfile.TarInfo(name)
            member.size = 4
            archive.addfile(member, io.BytesIO(b"evil"))
        for name, kind, target in (
            ("1", tarfile.SYMTYPE, str(outside)),
            ("2", tarfile.LNKTYPE, str(outside / "secret.txt")),
        ):
            member = tarfile.TarInfo(f"{FOLDER}/data_batch_{name}")
            member.type, member.linkname = kind, target
            archive.addfile(member)
        for name, kind in (("3", tarfile.CHRTYPE), ("4", tarfile.FIFOTYPE)):
            member = tarfile.TarInfo(f"{FOLDER}/data_batch_{name}")
            member.type = kind
            archive.addfile(member)
    with Watch().on("archive"), pytest.raises(DataError, match="without"):
        load_cifar10(Cifar10(), 0, data)
    assert is_untouched(outside)
    assert [path.name for path in data.iterdir()] == [ARCHIVE]


# --- presets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trap", sorted(TRAPS))
def test_traps_among_presets_are_told_of_beside_the_others(outside: Path, trap: str) -> None:
    user_presets_dir().mkdir(parents=True)
    TRAPS[trap](user_presets_dir() / "strange.toml", outside)
    (user_presets_dir() / "heir.toml").write_text('extends = "strange"')
    with Watch().on(trap):
        found, errors = load_presets()
    assert "spiral-relu" in [preset.name for preset in found]
    told = sorted(str(error) for error in errors)
    assert [text.split(": ")[0] for text in told] == [
        str(user_presets_dir() / f"{name}.toml") for name in ("heir", "strange")
    ]
    assert not any("secret" in text.replace("secret.txt", "") for text in told)


def test_a_million_presets_are_not_waited_for(dltui: Dltui, times: Times, tally: Tally) -> None:
    count, folder = times(20_000, 1_000_000), user_presets_dir()
    folder.mkdir(parents=True)
    for number in range(count):
        if number % 50_000 == 0:  # a file has a limited number of names
            first = folder / f"p{number:07}.toml"
            first.write_text('extends = "spiral-relu"')
        else:
            os.link(first, folder / f"p{number:07}.toml")
    watch = Watch()
    watch.limit_s = 5
    with watch.on("a list of presets"):
        done = dltui("presets", "--json")
    assert done.status == 0
    assert 200 <= sum(preset["path"].startswith(str(folder)) for preset in json.loads(done.out)) <= 200
    assert done.err.count("\n") == 1
    left_out = "19,800" if count == 20_000 else "more than 99,800"
    assert f"{left_out} others can be used by name only" in done.err
    last = f"p{count - 1:07}"
    assert dltui("train", last, "--dry-run").status == 0
    tally("presets in one folder", count)
    shutil.rmtree(folder)


def test_a_run_that_another_holds_is_not_touched_through_a_link(run: RunFolder, outside: Path) -> None:
    (run.path / "lock").unlink(missing_ok=True)
    (run.path / "lock").symlink_to(outside / "secret.txt")
    with pytest.raises(RunFolderError):
        RunLock(run)
    assert is_untouched(outside)

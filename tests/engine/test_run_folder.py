"""Run folders: made whole or not at all, found by name, held by one engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine import commands as cmd
from engine import run_folder
from engine.run_folder import RunFolder, RunFolderError, RunLocked, create_run, find_run, iter_runs
from engine.schema import RunConfig, validate


@pytest.fixture
def config() -> RunConfig:
    tree = {"preset": "tiny", "data": {"kind": "spiral"}, "model": {"kind": "linear"}, "title": "Día 1"}
    return validate(tree)


def make(runs: Path, config: RunConfig, name: str = "") -> RunFolder:
    return create_run(runs, config, runs / "data", name)


def test_a_new_run_holds_everything_and_its_configuration_comes_back(tmp_path: Path, config: RunConfig) -> None:
    folder = make(tmp_path / "a" / "runs", config)
    assert folder.name == "tiny-1"
    assert sorted(path.name for path in folder.path.iterdir()) == [
        "checkpoints",
        "commands.jsonl",
        "config.toml",
        "console.log",
        "events.jsonl",
        "figures",
    ]
    assert folder.config() == config
    assert folder.data_dir() == tmp_path / "a" / "runs" / "data"
    assert [path.name for path in folder.path.parent.iterdir()] == ["tiny-1"]


def test_names_count_on_from_the_highest_and_skip_what_is_taken(tmp_path: Path, config: RunConfig) -> None:
    assert [make(tmp_path, config).name for _ in range(2)] == ["tiny-1", "tiny-2"]
    (tmp_path / "tiny-7").mkdir()
    (tmp_path / "tiny-x").mkdir()
    assert make(tmp_path, config).name == "tiny-8"


def test_without_a_preset_a_run_is_called_after_its_data(tmp_path: Path, config: RunConfig) -> None:
    assert make(tmp_path, config.model_copy(update={"preset": ""})).name == "spiral-1"


@pytest.mark.parametrize("preset", ["../../etc", "a/b", ".hidden", "naïve name", "x" * 80, "\x1b[31m"])
def test_whatever_a_preset_is_called_its_runs_have_plain_names(tmp_path: Path, config: RunConfig, preset: str) -> None:
    folder = make(tmp_path, config.model_copy(update={"preset": preset}))
    assert folder.path.parent == tmp_path
    assert run_folder.NAME.fullmatch(folder.name)


@pytest.mark.parametrize("name", ["../up", "a b", "-dash", ".dot", "x" * 81, "a/b", "né", "a\nb"])
def test_a_name_that_will_not_do_is_refused_and_nothing_is_made(tmp_path: Path, config: RunConfig, name: str) -> None:
    with pytest.raises(RunFolderError, match="is no name for a run: use letters"):
        make(tmp_path / "runs", config, name)
    assert not (tmp_path / "runs").exists()


def test_a_name_that_is_taken_is_refused_and_nothing_is_left(tmp_path: Path, config: RunConfig) -> None:
    first = make(tmp_path, config, "mine")
    with pytest.raises(
        RunFolderError, match="run 'mine' exists: choose another --name, or go on with it: dltui resume"
    ):
        make(tmp_path, config, "mine")
    assert list(tmp_path.iterdir()) == [first.path]


def test_a_folder_that_can_not_be_written_is_refused(tmp_path: Path, config: RunConfig) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="choose another folder with --runs or DLTUI_RUNS"):
        make(tmp_path / "file" / "runs", config)


@pytest.mark.parametrize(
    ("args", "fault"),
    [({"words": "\x01" * 20_000}, "larger than 64 KiB"), ({"a": {}}, "nested too deeply: keys have at most 32 parts")],
)
def test_a_configuration_that_nobody_could_read_again_is_refused(
    tmp_path: Path, args: dict[str, object], fault: str
) -> None:
    """What is written with escapes takes more room than what it was read from."""
    for _ in range(40 if "a" in args else 0):
        args = {"a": args}
    model = {"kind": "custom", "target": "/a.py:Net", "args": args}
    with pytest.raises(RunFolderError) as refused:
        make(tmp_path / "runs", validate({"data": {"kind": "spiral"}, "model": model}))
    assert fault in str(refused.value)
    assert "; make model.args smaller, and have your code read" in str(refused.value)
    assert not (tmp_path / "runs").exists()


def test_a_disk_that_fills_up_leaves_nothing_half_made(
    tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RunFolderError, match="No space left on device"):
        make(tmp_path, config)
    assert list(tmp_path.iterdir()) == []


def test_only_one_engine_holds_a_run_and_the_message_says_who(tmp_path: Path, config: RunConfig) -> None:
    folder = make(tmp_path, config)
    assert folder.holder() is None
    lock = folder.lock()
    assert f"pid {os.getpid()} on " in (folder.holder() or "")
    with pytest.raises(RunLocked, match=rf"run 'tiny-1' is being trained by pid {os.getpid()} on "):
        folder.lock()
    lock.release()
    assert folder.holder() is None
    folder.lock().release()


def test_the_lock_of_a_dead_engine_is_gone(tmp_path: Path, config: RunConfig) -> None:
    folder = make(tmp_path, config)
    code = (
        "import sys, pathlib; from engine.run_folder import RunFolder\n"
        "lock = RunFolder(pathlib.Path(sys.argv[1])).lock(); print('held', flush=True); sys.stdin.read()"
    )
    engine = subprocess.Popen(
        [sys.executable, "-c", code, str(folder.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert engine.stdout is not None
    assert engine.stdout.readline() == "held\n"
    assert f"pid {engine.pid}" in (folder.holder() or "")
    engine.kill()
    engine.communicate()
    assert folder.holder() is None


def test_a_run_that_can_not_be_locked_says_how_to_mend_it(tmp_path: Path, config: RunConfig) -> None:
    folder = make(tmp_path, config)
    (folder.path / "lock").mkdir()
    with pytest.raises(RunFolderError, match="may not be written"):
        folder.lock()


def test_what_is_asked_can_be_read(tmp_path: Path, config: RunConfig) -> None:
    folder = make(tmp_path, config)
    folder.ask(cmd.Pause())
    folder.ask(cmd.SetLearningRate(lr=0.5))
    asked = folder.read_commands().read()
    assert [type(command) for command in asked] == [cmd.Pause, cmd.SetLearningRate]


def test_asking_where_one_may_not_write_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="can't ask run 'gone' for anything"):
        RunFolder(tmp_path / "gone").ask(cmd.Stop())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[model", "config.toml is damaged: "),
        (b"\xff\xfe", "config.toml is damaged: "),
        (b"[model]\nkind='mlp'", "config.toml: data: is missing"),
        (b"[data]\nkind='spiral'\n[model]\nkind='linear'\n[trainer]\nepochs=0", "trainer.epochs: must be at least 1"),
    ],
)
def test_a_damaged_configuration_is_named(tmp_path: Path, config: RunConfig, content: bytes, message: str) -> None:
    folder = make(tmp_path, config)
    (folder.path / "config.toml").write_bytes(content)
    with pytest.raises(RunFolderError) as caught:
        folder.config()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_is_found_by_name_and_by_path(tmp_path: Path, config: RunConfig) -> None:
    folder = make(tmp_path, config)
    assert find_run(tmp_path, "tiny-1").path == folder.path
    assert find_run(tmp_path / "elsewhere", str(folder.path)).path == folder.path
    assert find_run(tmp_path / "elsewhere", f"{folder.path}/").name == "tiny-1"


def test_an_unknown_run_names_the_nearest(tmp_path: Path, config: RunConfig) -> None:
    with pytest.raises(RunFolderError, match=r"no run 'tiny-1' in .*; dltui runs lists them"):
        find_run(tmp_path / "none", "tiny-1")
    make(tmp_path, config)
    with pytest.raises(RunFolderError, match=r"no run 'tiny-2' in .*; did you mean 'tiny-1'\?"):
        find_run(tmp_path, "tiny-2")


def test_runs_come_most_recently_changed_first_and_nothing_else_is_one(tmp_path: Path, config: RunConfig) -> None:
    for changed_at, name in ((30, "b"), (10, "c"), (20, "a")):
        os.utime(make(tmp_path, config, name).path / "events.jsonl", (changed_at, changed_at))
    (tmp_path / "stray-file").write_text("")
    (tmp_path / "no-run").mkdir()
    (tmp_path / ".new-xyz").mkdir()
    (tmp_path / ".new-xyz" / "events.jsonl").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert [folder.name for folder in iter_runs(tmp_path)] == ["b", "a", "c"]
    assert list(iter_runs(tmp_path / "nowhere")) == []


def test_a_run_that_is_discarded_is_gone_and_leaves_its_name(tmp_path: Path, config: RunConfig) -> None:
    folder = create_run(tmp_path, config, tmp_path, "mine")
    folder.discard()
    assert list(tmp_path.iterdir()) == []
    assert create_run(tmp_path, config, tmp_path, "mine").config() == config


def test_a_run_that_an_engine_holds_is_not_discarded(tmp_path: Path, config: RunConfig) -> None:
    folder = create_run(tmp_path, config, tmp_path, "mine")
    lock = folder.lock()
    with pytest.raises(RunLocked):
        folder.discard()
    lock.release()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert folder.config() == config

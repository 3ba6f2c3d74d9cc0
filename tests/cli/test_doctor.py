"""What this box has, and what is wrong with it."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.cores import Cores
from engine.devices import default_threads
from engine.places import data_dir, runs_dir, user_presets_dir
from tests.cli.conftest import Dltui
from tui import doctor


def findings(dltui: Dltui, *argv: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = dltui("doctor", "--json", *argv)
    return done.status, {finding["name"]: finding for finding in json.loads(done.out)}


@pytest.fixture
def quick_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spares importing torch in a process of its own where that is not what is tested."""
    versions = '"torch": "2", "torchvision": "0", "torch_cuda": ""'
    cores = '"threads": 1, "cores": {"allowed": 2, "quota": null}'
    answer = f'{{{versions}, "cuda": [], "mps": false, "cpu": "x", {cores}}}'
    monkeypatch.setattr(doctor, "PROBE", (sys.executable, "-c", f"print('noise'); print('{answer}')"))


def test_a_box_that_can_train_is_whole(dltui: Dltui) -> None:
    status, found = findings(dltui)
    assert status == 0
    assert found["PyTorch"]["level"] == "ok"
    assert found["threads"]["text"].startswith(f"{default_threads()} for training, of ")
    assert found["runs"]["text"].startswith(f"{runs_dir()}, made when needed, ")
    assert not runs_dir().exists()


@pytest.mark.usefixtures("quick_torch")
def test_every_line_says_by_a_sign_and_in_words_how_it_is(dltui: Dltui) -> None:
    runs_dir().mkdir(parents=True)
    done = dltui("doctor")
    lines = done.out.splitlines()
    assert done.status == 0
    assert {line[0] for line in lines} <= {"✓", "!"}
    assert any(line.startswith(f"✓ runs         {runs_dir()}, ") for line in lines)
    assert any(line.startswith("! terminal     none here") for line in lines)
    assert list(runs_dir().iterdir()) == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise ImportError('libcudart.so.13: no such file')", "ImportError: libcudart.so.13: no such file"),
        ("import os; os.abort()", "torch ended its process with status -6"),
        ("print('[]')", "torch ended its process with status 0"),
        ("import time; time.sleep(60)", "importing torch takes more than 0.5 s"),
    ],
)
def test_a_broken_torch_is_a_finding_and_no_crash(
    dltui: Dltui, monkeypatch: pytest.MonkeyPatch, code: str, reason: str
) -> None:
    monkeypatch.setattr(doctor, "PROBE", (sys.executable, "-c", code))
    monkeypatch.setattr(doctor, "PROBE_LIMIT_S", 0.5 if "sleep" in code else 60)
    status, found = findings(dltui)
    assert status == 1
    assert found["PyTorch"] == {
        "level": "broken",
        "name": "PyTorch",
        "text": f"{reason}: reinstall torch and torchvision together",
    }


@pytest.mark.usefixtures("quick_torch")
def test_folders_that_can_not_be_used_are_broken(dltui: Dltui, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, found = findings(dltui, "--runs", str(tmp_path / "file" / "runs"))
    assert status == 1
    assert found["runs"]["level"] == "broken"
    assert f"{tmp_path / 'file'} is not a folder; choose another with --runs or DLTUI_RUNS" in found["runs"]["text"]


@pytest.mark.usefixtures("quick_torch")
@pytest.mark.parametrize(("flag", "level", "status"), [("--data", "note", 0), ("--runs", "broken", 1)])
def test_data_may_lie_where_nothing_can_be_written_but_runs_may_not(
    dltui: Dltui, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: str, level: str, status: int
) -> None:
    def refuse(dir: Path) -> None:  # permissions would not stop root
        if dir == tmp_path:
            raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(doctor, "_try_writing", refuse)
    got, found = findings(dltui, flag, str(tmp_path))
    finding = found[flag.removeprefix("--")]
    assert (got, finding["level"]) == (status, level)
    assert "read-only file system" in finding["text"]


@pytest.mark.usefixtures("quick_torch")
def test_little_room_is_noted(dltui: Dltui, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LOW_SPACE_BYTES", 1 << 60)
    status, found = findings(dltui)
    assert status == 0
    assert "only " in found["runs"]["text"]


@pytest.mark.usefixtures("quick_torch")
def test_data_sets_that_are_here_half_here_and_not_here(dltui: Dltui) -> None:
    mnist = data_dir() / "MNIST" / "raw"
    mnist.mkdir(parents=True)
    for name in doctor.IDX_FILES[:3]:
        (mnist / f"{name}.gz").write_bytes(b"")
    texts = [line for line in dltui("doctor").out.splitlines() if "data set" in line]
    assert texts[0].endswith("MNIST is 3 of 4 files here: downloaded when a run first needs it")
    assert texts[1].endswith("FashionMNIST is not here: downloaded when a run first needs it")
    (mnist / doctor.IDX_FILES[3]).write_bytes(b"")
    assert "✓ data set     MNIST is here" in dltui("doctor").out


@pytest.mark.usefixtures("quick_torch")
def test_a_broken_preset_is_noted(dltui: Dltui) -> None:
    user_presets_dir().mkdir(parents=True)
    (user_presets_dir() / "mine.toml").write_text("[oops")
    status, found = findings(dltui)
    assert status == 0
    assert "mine.toml: " in found["preset"]["text"]


@pytest.mark.parametrize(
    ("threads", "cores", "load", "level", "text"),
    [
        (1, Cores(1, None), 1.2, "ok", "1 for training, of 1 core"),
        (1, Cores(2, None), 1.4, "ok", "1 for training, of 2 cores; one stays free, since"),
        (7, Cores(8, None), 0.0, "ok", "7 for training, of 8 cores; one stays free, since"),
        (3, Cores(64, 4.5), 0.0, "ok", "3 for training, of 4 cores (this container may use 4.5 of 64); one stays free"),
        (1, Cores(8, 0.5), 0.0, "ok", "1 for training, of 1 core (this container may use 0.5 of 8)"),
        (7, Cores(8, 16.0), 0.0, "ok", "7 for training, of 8 cores; one stays free"),
        (1, Cores(2, None), 5.93, "note", "most of its speed. It is busy now: load 5.9"),
    ],
)
def test_how_many_threads_train_and_why_is_one_line(
    threads: int, cores: Cores, load: float, level: str, text: str
) -> None:
    finding = doctor._threads(threads, cores, load)
    assert (finding.level, finding.name) == (level, "threads")
    assert text in finding.text
    assert "\n" not in finding.text


@pytest.mark.usefixtures("quick_torch")
def test_a_load_that_can_not_be_read_is_left_out(dltui: Dltui, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> tuple[float, float, float]:
        raise OSError("Load averages are unobtainable")

    monkeypatch.setattr(os, "getloadavg", refuse)
    status, found = findings(dltui)
    assert status == 0
    assert found["threads"]["level"] == "ok"
    assert "load" not in found["threads"]["text"]


@pytest.mark.parametrize(
    ("environment", "level", "words"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "ok", "120x40, xterm-256color, 16 million colours"),
        ({"TERM": "xterm-256color", "TMUX": "x"}, "ok", "120x40, xterm-256color, 256 colours, inside tmux"),
        (
            {"TERM": "xterm", "NO_COLOR": "1", "SSH_CONNECTION": "x"},
            "ok",
            "120x40, xterm, no colours (NO_COLOR), over SSH",
        ),
        ({"TERM": "dumb"}, "note", "the screen needs a TERM such as xterm-256color"),
        ({"TERM": "xterm", "COLUMNS": "60"}, "note", "60x40, xterm, 8 to 256 colours: 80x24 is the least"),
    ],
)
def test_what_is_said_of_a_terminal(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], level: str, words: str
) -> None:
    for name in ("TERM", "COLORTERM", "TMUX", "STY", "SSH_CONNECTION", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"COLUMNS": "120", "LINES": "40"} | environment).items():
        monkeypatch.setenv(name, value)
    finding = doctor._terminal_size()
    assert finding.level == level
    assert words in finding.text


@pytest.mark.parametrize(
    ("files", "is_safe"),
    [
        ({}, True),
        ({"etc/systemd/logind.conf": "[Login]\n#KillUserProcesses=yes\n"}, True),
        ({"etc/systemd/logind.conf": "[Login]\nKillUserProcesses=yes\n"}, False),
        ({"usr/lib/systemd/logind.conf.d/50-site.conf": "[Login]\nKillUserProcesses = true\n"}, False),
        (
            {
                "etc/systemd/logind.conf": "[Login]\nKillUserProcesses=yes\n",
                "etc/systemd/logind.conf.d/90-mine.conf": "[Login]\nKillUserProcesses=no\n",
            },
            True,
        ),
        (
            {
                "usr/lib/systemd/logind.conf.d/90-mine.conf": "[Login]\nKillUserProcesses=yes\n",
                "etc/systemd/logind.conf.d/90-mine.conf": "[Login]\n",
            },
            True,
        ),
        (
            {
                "etc/systemd/logind.conf": "[Login]\nKillUserProcesses=yes\n",
                "var/lib/systemd/linger/ada": "",
            },
            True,
        ),
    ],
)
def test_a_logout_that_would_end_runs_is_noted(tmp_path: Path, files: dict[str, str], is_safe: bool) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = list(doctor._logout("ada", tmp_path))
    assert is_safe == (not found)
    assert all(finding.level == "note" and "loginctl enable-linger ada" in finding.text for finding in found)
    assert not list(doctor._logout("root", tmp_path)), "whom systemd leaves alone"

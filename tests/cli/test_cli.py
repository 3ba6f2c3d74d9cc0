"""The contract of the command line: one line per error, exit statuses, streams that go away."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

import pytest

from engine import console
from engine.places import runs_dir
from tests.cli.conftest import Dltui, make_run
from tests.engine.test_run_state import logged, started
from tui import cli
from tui.parsers import make_parsers

Refused = Callable[..., str]


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A real shell with a real `dltui` in it."""
    return subprocess.run(
        ["bash", "-c", f'dltui() {{ "{sys.executable}" -P -m tui.cli "$@"; }}; {command}'],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["trian"], "no command 'trian'; did you mean: dltui train?"),
        (["spiral-relu"], "no command 'spiral-relu'; did you mean: dltui train spiral-relu?"),
        (["mine.toml"], "no command 'mine.toml'; did you mean: dltui train mine.toml?"),
        (["\x1b[31m"], "no command '\N{REPLACEMENT CHARACTER}[31m'; there are train, resume, "),
        (["runs", "--jsno"], "unknown flag --jsno; did you mean --json?"),
        (["--frobnicate"], "unknown flag --frobnicate; see: dltui --help"),
        (["runs", "a"], "'a' is one argument too many; see: dltui runs --help"),
        (["show"], "the following arguments are required: RUN; see: dltui show --help"),
        (["set", "x"], "the following arguments are required: optimizer.lr=VALUE; see: dltui set --help"),
        (["--runs"], "argument --runs: expected one argument; see: dltui --help"),
        (["runs", "--json=yes"], "argument --json: ignored explicit argument 'yes'; see: dltui runs --help"),
        (["train"], "train wants a preset, as in dltui train spiral-relu; dltui presets lists them"),
        (["train", "spiral-relu", "digits-mlp"], "'digits-mlp' is one argument too many; see: dltui train --help"),
        (["train", "spiral-rleu"], "no preset 'spiral-rleu'; did you mean 'spiral-relu'?"),
        (["train", "spiral-relu", "--lr", "1"], "unknown flag --lr; did you mean --optimizer.lr?"),
        (["train", "spiral-relu", "-e", "5"], "unknown flag -e; see: dltui train --help"),
        (["show", "nonsense"], "no run 'nonsense' in "),
        (["attach"], "no runs in "),
    ],
)
def test_wrong_usage_is_one_line_that_names_the_mend(refused: Refused, argv: list[str], expected: str) -> None:
    assert refused(*argv).startswith(expected)


@pytest.mark.parametrize("argv", [[], ["attach", "one"]])
def test_the_screen_needs_a_terminal(refused: Refused, argv: list[str]) -> None:
    make_run("one")
    assert refused(*argv) == "the screen needs a terminal on stdin and stdout; without one: dltui train PRESET"


@pytest.mark.parametrize("argv", [["--help"], ["-h"], ["runs", "--help"], ["set", "--help"], ["train", "--help"]])
def test_help_is_no_error(dltui: Dltui, argv: list[str]) -> None:
    done = dltui(*argv)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("usage: dltui")


def test_the_help_knows_every_command(dltui: Dltui) -> None:
    listed = dltui("--help").out
    _, commands = make_parsers()
    assert len(commands) == 14
    for name in commands:
        assert f"\n  {name} " in listed


def test_the_help_on_training_shows_examples_and_what_can_be_set(dltui: Dltui) -> None:
    assert "dltui train digits-mlp --epochs 5" in dltui("train", "--help").out
    assert "adamw" in dltui("train", "--help").out
    of_preset = dltui("train", "spiral-relu", "--help").out
    assert "--model.hidden 100" in of_preset
    assert dltui("train", "spiral-rleu", "--help").status == 2


def test_the_version_is_the_distributions(dltui: Dltui) -> None:
    assert dltui("--version").out == f"dltui {version('dltui')}\n"


def test_folders_may_stand_before_and_after_the_command(dltui: Dltui, tmp_path: Path) -> None:
    for argv in (["--runs", str(tmp_path), "runs"], ["runs", "--runs", str(tmp_path)], [f"--runs={tmp_path}", "runs"]):
        assert f"no runs in {tmp_path} yet" in dltui(*argv).err


def test_an_interrupt_is_130_and_an_unexpected_system_error_one_line(
    dltui: Dltui, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(argv: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupt)
    assert dltui("runs") == (130, "", "")

    def fail(argv: list[str]) -> int:
        raise OSError(5, "Input/output error", "/some/file")

    monkeypatch.setattr(cli, "_run", fail)
    monkeypatch.setattr(cli, "discard", lambda *_: None)  # it would close the tests' own output
    assert dltui("runs") == (1, "", "dltui: /some/file: input/output error\n")


def test_a_reader_that_leaves_early_is_no_error() -> None:
    done = shell("set -o pipefail; dltui train --help | head -1; dltui presets | true; dltui presets --json | head -1")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "["


def test_output_that_can_not_be_written_is_one_line() -> None:
    if not Path("/dev/full").exists():
        assert sys.platform != "linux"
        return
    done = shell("dltui presets > /dev/full")
    assert done.returncode == 1
    assert done.stderr == "dltui: no space left on device\n"


def test_a_result_that_can_not_be_written_is_no_success(dltui: Dltui, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is lost is the line; the run is kept, and the line says so."""

    def full(text: str, stream: TextIO) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(console, "write_result", full)
    done = dltui("train", "xor", "--epochs", "1", "--name", "mine", "--json")
    assert done.status == 1
    told = "dltui: the result can't be written (no space left on device); it is kept: dltui show mine"
    assert done.err.splitlines()[-1] == told
    assert dltui("show", "mine").status == 0


@pytest.mark.parametrize("closed", ["2>&-", "<&- >&-"])
def test_streams_that_are_closed_lead_nowhere(closed: str) -> None:
    done = shell(f"dltui presets {closed}; echo $?; dltui train xor --epochs 1 --name mine {closed}; echo $?")
    assert [line for line in done.stdout.splitlines() if line.isdecimal()] == ["0", "0"]
    assert "Traceback" not in done.stderr
    assert ("xor" in done.stdout) is (">&-" not in closed.replace("2>&-", ""))
    folder = runs_dir() / "mine"
    assert '"RunFinished"' in (folder / "events.jsonl").read_text()
    assert not (folder / ".reserve").exists()


def test_a_terminal_without_utf8_gets_question_marks_not_tracebacks() -> None:
    environment = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    make_run("day", started(), *(logged(step, 1.0 / step) for step in range(1, 9)))
    done = shell("dltui presets && dltui show day && dltui train --help", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()


@pytest.mark.parametrize("argv", [["doctor"], ["train", "xor"], ["resume", "one"], ["runs"]])
def test_a_folder_that_is_gone_is_told_of_at_the_door(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, argv: list[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert refused(*argv) == "the folder you are in is gone: cd to another one"


def test_names_in_a_language_of_ones_own(dltui: Dltui, tmp_path: Path) -> None:
    (tmp_path / "día ☀.toml").write_text("extends = 'spiral-relu'\ntitle = 'Día ☀'\n")
    done = dltui("train", str(tmp_path / "día ☀.toml"), "--dry-run")
    assert (done.status, done.err) == (0, "")
    assert 'title = "Día ☀"' in done.out


def test_no_command_but_training_imports_torch_and_none_but_the_screen_imports_textual_apps(
    run_python: Callable[[str], str],
) -> None:
    make_run("day", started(), logged(1))
    code = (
        "import sys; from tui.cli import main\n"
        "for line in ('presets', 'runs', 'show day', 'train spiral-relu --dry-run', 'train --help'):\n"
        "    assert main(line.split()) == 0\n"
        "print('torch' in sys.modules, 'textual.app' in sys.modules)"
    )
    assert run_python(code).splitlines()[-1] == "False False"


def test_nothing_is_made_by_looking(dltui: Dltui) -> None:
    for argv in (["runs"], ["presets"], ["train", "spiral-relu", "--dry-run"], ["show", "x"], ["attach"]):
        dltui(*argv)
    assert not runs_dir().exists()


def test_an_interrupt_while_everything_is_imported_is_quiet() -> None:
    code = (
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'tui.cli':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from tui.entry import main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")

"""The host: a process of its own that trains one run, cold or warm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from engine import events as ev
from engine.run_folder import RunFolder
from tests.engine.helpers import make_run, recorded

PATIENCE_S = 60


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "engine.host", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_rows(folder: RunFolder) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while b"MetricsLogged" not in (folder.path / "events.jsonl").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_trains_a_run_and_prints_into_its_console_log(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    host = start(str(folder.path))
    printed = host.communicate(timeout=PATIENCE_S)
    assert host.returncode == 0
    assert printed == ("", "")
    assert isinstance(recorded(folder)[-1], ev.RunFinished)


def test_a_warm_one_says_ready_and_takes_a_run(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    host = start("--warm")
    assert host.stdin is not None
    assert host.stdout is not None
    assert host.stdout.readline() == "ready\n"
    host.stdin.write(f"{folder.path}\n")
    host.stdin.close()
    assert host.wait(timeout=PATIENCE_S) == 0
    assert isinstance(recorded(folder)[-1], ev.RunFinished)


def test_a_warm_one_that_is_not_needed_goes_away() -> None:
    host = start("--warm")
    host.communicate(timeout=PATIENCE_S)
    assert host.returncode == 0


def test_a_hangup_does_not_end_it_and_a_term_ends_it_with_a_checkpoint(tmp_path: Path) -> None:
    folder = make_run(tmp_path, trainer={"epochs": 1_000_000})
    host = start(str(folder.path))
    wait_for_rows(folder)
    os.kill(host.pid, signal.SIGHUP)
    size = (folder.path / "events.jsonl").stat().st_size
    deadline = time.monotonic() + PATIENCE_S
    while (folder.path / "events.jsonl").stat().st_size <= size:
        assert host.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    host.terminate()
    assert host.wait(timeout=PATIENCE_S) == 0
    ending = recorded(folder)[-1]
    assert isinstance(ending, ev.RunStopped)
    assert ending.reason == "SIGTERM"
    assert (folder.checkpoints / "last" / "state.pt").is_file()


def test_a_failure_ends_with_1_and_its_line_is_the_logs_last(tmp_path: Path) -> None:
    folder = make_run(tmp_path, trainer={"device": "cuda:99"})
    host = start(str(folder.path))
    assert host.wait(timeout=PATIENCE_S) == 1
    assert "cuda:99" in (folder.path / "console.log").read_text().splitlines()[-1]


def test_a_run_that_is_taken_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    lock = folder.lock()
    host = start(str(folder.path))
    assert host.wait(timeout=PATIENCE_S) == 1
    lock.release()
    assert f"is being trained by pid {os.getpid()} on" in (folder.path / "console.log").read_text()
    assert recorded(folder) == []


def test_wrong_arguments_are_told() -> None:
    host = start("--cold")
    _, errors = host.communicate(timeout=PATIENCE_S)
    assert host.returncode == 2
    assert errors.startswith("usage:")

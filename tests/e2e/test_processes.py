"""Real processes: signals, pipes, hosts in the background, and steering them from other processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import events as ev
from engine.places import runs_dir
from engine.run_folder import RunFolder
from tests.e2e.processes import (
    DLTUI,
    SLOW,
    alive,
    dltui,
    events_of,
    names,
    shown,
    start,
    wait_for_step,
    wait_until,
)


@pytest.fixture
def run() -> Iterator[Path]:
    """Where the run `r` will be; whatever trains it is ended with the test."""
    yield runs_dir() / "r"
    if (runs_dir() / "r").exists() and RunFolder(runs_dir() / "r").holder():
        subprocess.run([*DLTUI, "stop", "r"], capture_output=True, timeout=60)


def test_ctrl_c_saves_a_checkpoint_and_the_run_goes_on_from_there(run: Path) -> None:
    training = start("train", "spiral-relu", *SLOW, "--name", "r", "--json", start_new_session=True)
    wait_for_step(run, 40)
    training.send_signal(signal.SIGINT)
    out, err = training.communicate(timeout=60)
    assert training.returncode == 130
    result = json.loads(out.splitlines()[-1])
    assert (result["state"], result["run"]) == ("stopped", "r")
    assert "Traceback" not in err
    *_, saved, stopped = [event for event in events_of(run) if not isinstance(event, ev.Heartbeat)]
    assert isinstance(saved, ev.CheckpointSaved)
    assert isinstance(stopped, ev.RunStopped)
    assert saved.step == stopped.step == result["steps"] >= 40
    assert (run / "checkpoints" / "last" / "weights.safetensors").is_file()

    resumed = start("resume", "r", start_new_session=True)
    wait_for_step(run, stopped.step + 40)
    resumed.send_signal(signal.SIGINT)
    resumed.communicate(timeout=60)
    assert resumed.returncode == 130
    starts = [event.step for event in events_of(run) if isinstance(event, ev.RunStarted)]
    assert starts == [0, stopped.step]


def test_a_hangup_does_not_end_training_and_neither_do_closed_pipes(run: Path) -> None:
    training = start("train", "spiral-relu", *SLOW, "--name", "r", start_new_session=True)
    wait_for_step(run, 20)
    os.killpg(training.pid, signal.SIGHUP)
    for pipe in (training.stdout, training.stderr):
        assert pipe is not None
        pipe.close()
    before = shown("r")["steps"]
    wait_for_step(run, before + 100)
    assert training.poll() is None
    assert "stopped at step" in dltui("stop", "r")
    assert training.wait(timeout=60) == 0


def test_a_killed_run_has_died_and_resumes(run: Path) -> None:
    training = start("train", "spiral-relu", *SLOW, "--name", "r", "--checkpoint-every-s", "0.05")
    wait_for_step(run, 40)
    wait_until(lambda: (run / "checkpoints" / "last").exists(), "a checkpoint")
    training.kill()
    training.communicate()
    assert shown("r")["state"] == "died"
    assert dltui("resume", "r", "--detach").strip() == "r"
    assert shown("r")["state"] == "running"
    (_, again) = [event for event in events_of(run) if isinstance(event, ev.RunStarted)]
    assert again.step > 0


def test_a_file_tells_of_a_run_long_before_its_first_evaluation(run: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as file:
        training = subprocess.Popen(
            [*DLTUI, "train", "spiral-relu", *SLOW, "--name", "r"], stdout=file, stderr=subprocess.STDOUT
        )
    try:
        wait_until(log.read_text, "a line")
        assert training.poll() is None
        assert re.fullmatch(r"r  epoch [\d,]+/1000000  0 %  train/loss .*  ETA .*\n", log.read_text())
        assert not [event for event in events_of(run) if isinstance(event, ev.Evaluated)]
    finally:
        training.kill()
        training.wait()


def test_the_last_line_of_a_pipe_is_json(run: Path) -> None:
    command = f'"{sys.executable}" -P -m tui.cli train spiral-relu --epochs 20 --name r --json | tail -1'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    result = json.loads(done.stdout)
    assert (result["state"], result["steps"], result["dir"]) == ("finished", 20, str(run))


def test_a_detached_run_outlives_its_parent_and_is_steered_by_others(run: Path) -> None:
    argv = [*DLTUI, "train", "spiral-relu", *SLOW, "--name", "r", "--detach"]
    code = f"import os, subprocess; os.setsid(); subprocess.run({argv})"
    parent = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert parent.stdout == "r\n"
    (begun,) = [event for event in events_of(run) if isinstance(event, ev.RunStarted)]
    assert alive(begun.pid)
    assert os.getsid(begun.pid) == begun.pid

    assert dltui("pause", "r").startswith("r paused at step ")
    paused_at = shown("r")["steps"]
    assert shown("r")["state"] == "paused"
    assert (
        dltui("set", "r", "optimizer.lr=0.005") == f"r changed optimizer.lr from 0.001 to 0.005 at step {paused_at:,}\n"
    )
    assert dltui("checkpoint", "r") == f"r saved {run / 'checkpoints' / f'step-{paused_at}'}\n"
    assert dltui("continue", "r") == f"r continued from step {paused_at:,}\n"
    wait_for_step(run, paused_at + 20)
    assert "optimizer.lr    0.005, changed while it ran" in dltui("show", "r")
    dltui("resume", "r", status=2)
    assert dltui("stop", "r").startswith("r stopped at step ")
    assert shown("r")["state"] == "stopped"
    wait_until(lambda: not alive(begun.pid), "the host's end")
    kinds = [name for name in names(events_of(run)) if name.startswith("Run")]
    assert kinds == ["RunStarted", "RunPaused", "RunContinued", "RunStopped"]


def test_a_detached_run_that_fails_at_once_says_why(run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    argv = ["--task.kind=binary-classification", "--data.kind=csv", f"--data.path={tmp_path / 'empty.csv'}"]
    failing = start("train", "spiral-relu", *argv, "--name", "r", "--detach")
    out, err = failing.communicate(timeout=120)
    assert (failing.returncode, out) == (1, "")
    assert err == f"dltui: run 'r' failed: {tmp_path / 'empty.csv'} is empty: it needs rows of numbers\n"
    assert shown("r")["state"] == "failed"


def test_two_engines_do_not_train_one_run(run: Path) -> None:
    dltui("train", "spiral-relu", *SLOW, "--name", "r", "--detach")
    for argv in (["resume", "r"], ["resume", "r", "--detach"]):
        second = start(*argv)
        out, err = second.communicate(timeout=120)
        assert (second.returncode, out) == (2, "")
        assert err.startswith("dltui: run 'r' is being trained by pid ")
    assert shown("r")["state"] == "running"

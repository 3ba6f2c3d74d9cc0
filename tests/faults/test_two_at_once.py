"""One engine per run, on any disk; and what one person does with a run that is another's."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine import commands as cmd
from engine.run_folder import RunFolder
from tests.e2e.processes import DLTUI, halt, names, wait_for_step, wait_until
from tests.engine.helpers import make_run, recorded
from tests.faults.curve import assert_every_step_once
from tests.faults.stand_in import ANOTHER, NO_FLOCK, NOBODY, QUICK, altered, as_user, on_host

# -- two engines --------------------------------------------------------------------------------------------------

ENDLESS = {"trainer": {"epochs": 1_000_000, "log_every": 20, "checkpoint_every_s": 0.2}}


def test_of_two_engines_started_on_one_run_the_second_refuses(
    tmp_path: Path,
    host: Callable[..., subprocess.Popen[bytes]],
    times: Callable[[int, int], int],
    tally: Callable[[str, int], None],
) -> None:
    tries = times(1, 10)
    for count in range(tries):
        start_two(tmp_path / str(count), host, NO_FLOCK if count % 2 == 0 else "")
    tally("two engines started on one run: the second refuses, naming pid and host", tries)


def start_two(folder: Path, host: Callable[..., subprocess.Popen[bytes]], disk: str) -> None:
    run = make_run(folder, **ENDLESS)
    env = altered(folder / "env", disk)
    engines = [host(run, env=env) for _ in range(2)]
    wait_until(lambda: any(engine.poll() is not None for engine in engines), "one of the two giving way")
    loser, winner = sorted(engines, key=lambda engine: engine.poll() is None)
    assert (loser.poll(), winner.poll()) == (1, None)
    said = (run.path / "console.log").read_text().splitlines()
    assert said == [f"dltui: run 'spiral-1' is being trained by pid {winner.pid} on {socket.gethostname()}"]
    wait_for_step(run.path, 100)
    run.ask(cmd.Stop())
    assert winner.wait(60) == 0
    assert_every_step_once(recorded(run))
    assert names(recorded(run)).count("RunStarted") == 1


def test_an_engine_that_wakes_up_after_its_run_was_taken_stops_and_writes_nothing(
    tmp_path: Path, host: Callable[..., subprocess.Popen[bytes]]
) -> None:
    run = make_run(tmp_path, **ENDLESS)
    log = run.path / "events.jsonl"
    first = host(run, env=altered(tmp_path / "env-1", QUICK, NO_FLOCK, on_host("far-away")))
    wait_until(lambda: b"CheckpointSaved" in log.read_bytes(), "a checkpoint")
    halt(first)
    second = host(run, env=altered(tmp_path / "env-2", QUICK, NO_FLOCK, on_host("nearby")))
    wait_until(lambda: log.read_bytes().count(b"RunStarted") == 2, "the second engine's start")
    first.send_signal(signal.SIGCONT)
    assert first.wait(60) == 1
    said = (run.path / "console.log").read_text()
    assert f"dltui: run 'spiral-1' was taken over by pid {second.pid} on nearby" in said
    seen = log.read_bytes().count(b"CheckpointSaved")
    wait_until(lambda: log.read_bytes().count(b"CheckpointSaved") > seen, "the second engine's going on")
    run.ask(cmd.Stop())
    assert second.wait(60) == 0
    assert_every_step_once(recorded(run))
    assert names(recorded(run))[-1] == "RunStopped"


# -- two users ----------------------------------------------------------------------------------------------------


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="dltui-users-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def files_of(run: RunFolder) -> set[str]:
    return {str(path.relative_to(run.path)) for path in run.path.iterdir()}


def test_who_may_only_look_at_a_run_sees_all_of_it_and_disturbs_nothing(
    open_folder: Path, host: Callable[..., subprocess.Popen[bytes]]
) -> None:
    owner, stranger = as_user(NOBODY), as_user(ANOTHER)
    run = make_run(open_folder, **ENDLESS)
    for path in (run.path, *run.path.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    engine = host(run, *owner)
    wait_for_step(run.path, 40)
    env = {**os.environ, "HOME": str(open_folder), "DLTUI_RUNS": str(open_folder)}

    def dltui(*argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*stranger, *DLTUI, *argv], capture_output=True, text=True, timeout=120, env=env)

    before = files_of(run)
    shown = json.loads(dltui("show", run.name, "--json").stdout)
    assert shown["state"] == "running"
    assert shown["steps"] >= 40
    assert run.name in dltui("runs").stdout
    for command in (("pause",), ("set", "optimizer.lr=0.1")):
        refused = dltui(command[0], run.name, *command[1:])
        assert refused.returncode
        assert re.fullmatch(
            rf"dltui: can't ask run '{run.name}' for anything: Permission denied; its owner can, \S+\n", refused.stderr
        )
    assert "is being trained by pid" in dltui("resume", run.name).stderr
    assert files_of(run) == before
    assert (run.path / "commands.jsonl").read_bytes() == b""
    step = shown["steps"]
    wait_for_step(run.path, step + 40)
    engine.kill()
    engine.wait()
    assert json.loads(dltui("show", run.name, "--json").stdout)["state"] == "died"
    taken = dltui("resume", run.name)
    assert taken.returncode
    assert "mend its permissions" in taken.stderr or "its owner can" in taken.stderr
    assert taken.stderr.count("\n") == 1
    assert (run.path / "events.jsonl").read_bytes().count(b"RunStarted") == 1


def test_each_user_has_runs_of_his_own(tmp_path: Path) -> None:
    asked = "from engine.places import runs_dir, data_dir, user_presets_dir as p; print(runs_dir(), data_dir(), p())"
    found = []
    for name in ("anna", "ben"):
        env = {key: value for key, value in os.environ.items() if not key.startswith(("DLTUI_", "XDG_"))}
        env["HOME"] = str(tmp_path / name)
        said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, env=env, check=True)
        found.append(said.stdout.split())
        assert all(path.startswith(f"{tmp_path / name}/") for path in found[-1])
    assert not set(found[0]) & set(found[1])

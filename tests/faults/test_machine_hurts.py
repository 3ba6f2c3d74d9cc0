"""The machine hurts: the run says in one line what helps, nothing written is lost, and it can go on afterwards."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from engine import commands as cmd
from engine import events as ev
from engine.checkpoint import load_checkpoint
from engine.run_folder import RunFolder, RunFolderError
from engine.run_state import RunState
from engine.run_summary import status_of
from tests.e2e.processes import wait_until
from tests.engine.helpers import collect, last_weights, make_run, recorded, same_bits, stop_at
from tests.faults.curve import assert_every_step_once, state_of
from tests.faults.stand_in import altered, without_privileges

TALKATIVE: dict[str, Any] = {
    "model": {"kind": "mlp", "hidden": [32]},
    "trainer": {"epochs": 80, "log_every": 1, "checkpoint_every_s": 0.2},
}
"""A run of 640 steps that writes into its log at each, about 130 KB in all."""
ENDLESS: dict[str, Any] = {"trainer": {"epochs": 1_000_000, "log_every": 20, "checkpoint_every_s": 0.1}}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """Weights of the talkative run where nothing happens to it."""
    run = make_run(tmp_path_factory.mktemp("undisturbed"), **TALKATIVE)
    asyncio.run(collect(run.config(), run))
    return last_weights(run)


def train(run: RunFolder) -> str:
    """Train until it ends; the one line it says if it fails, empty if it ended well."""
    try:
        ending = asyncio.run(collect(run.config(), run))[-1]
    except RunFolderError as error:
        return str(error)
    return f"{ending.error}; {ending.cure}" if isinstance(ending, ev.RunFailed) else ""


# -- disks --------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 4 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk takes root and the right to mount")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def leave_free(disk: Path, kib: int) -> Path:
    """Fill `disk` up to so much."""
    ballast = disk / "ballast"
    free = os.statvfs(disk)
    ballast.write_bytes(bytes(free.f_bavail * free.f_bsize - kib * 1024))
    return ballast


def test_a_disk_that_fills_up_costs_nothing_but_time(
    small_disk: Path,
    undisturbed: dict[str, torch.Tensor],
    times: Callable[[int, int], int],
    draw: random.Random,
    tally: Callable[[str, int], None],
) -> None:
    tries = times(3, 60)
    failed = 0
    for kib in [40, *(draw.randrange(36, 200, 4) for _ in range(tries - 1))]:
        run = make_run(small_disk / f"free-{kib}", **TALKATIVE)
        ballast = leave_free(small_disk, kib)
        said = train(run)
        if said:
            failed += 1
            assert "No space left on device" in said, said
            assert "free some space" in said, said
            assert "\n" not in said
            assert state_of(run).status(engine_alive=False) == "failed"
        assert run.holder() is None
        assert not list(run.checkpoints.glob(".draft-*")), "a half-made checkpoint was left"
        if (run.checkpoints / "last").exists():
            load_checkpoint(run.checkpoints / "last")
        ballast.unlink()
        if said:
            assert train(run) == ""
        assert isinstance(recorded(run)[-1], ev.RunFinished)
        assert_every_step_once(recorded(run))
        assert same_bits(undisturbed, last_weights(run)), f"other weights with {kib} KiB free"
        shutil.rmtree(run.path.parent)
    assert failed, "no disk was small enough"
    tally("disk full while logging or checkpointing, then freed: same bits, no gap", failed)


def test_a_disk_that_is_full_before_the_first_step_is_told_of(
    small_disk: Path, undisturbed: dict[str, torch.Tensor]
) -> None:
    run = make_run(small_disk, **TALKATIVE)
    ballast = leave_free(small_disk, 0)
    said = train(run)
    assert "No space left on device" in said
    assert "free some space" in said
    ballast.unlink()
    assert train(run) == ""
    assert same_bits(undisturbed, last_weights(run))


# -- folders ------------------------------------------------------------------------------------------------------


def until_saved(run: RunFolder, more: int = 1) -> None:
    """Wait for the run's next checkpoints."""
    log = run.path / "events.jsonl"
    goal = log.read_bytes().count(b"CheckpointSaved") + more
    wait_until(lambda: log.read_bytes().count(b"CheckpointSaved") >= goal, f"{goal} checkpoints")


def test_a_folder_made_read_only_costs_warnings_and_the_run_goes_on(
    tmp_path: Path, host: Callable[..., subprocess.Popen[bytes]]
) -> None:
    run = make_run(tmp_path, **ENDLESS)
    engine = host(run, *without_privileges())
    until_saved(run)
    protect(run, 0o555)
    log = run.path / "events.jsonl"
    wait_until(lambda: b"Permission denied" in log.read_bytes(), "a warning")
    step = state_of(run).step
    wait_until(lambda: state_of(run).step > step + 100, "steps after the warning")
    load_checkpoint(run.checkpoints / "last")
    protect(run, 0o755)
    until_saved(run)
    warned = [event.text for event in recorded_so_far(run) if isinstance(event, ev.LineLogged)]
    assert all("Permission denied" in text and "\n" not in text for text in warned), warned
    assert any("could not be written" in text and "mend" in text for text in warned), warned
    run.ask(cmd.Stop())
    assert engine.wait(60) == 0
    assert_every_step_once(recorded(run))


def test_a_folder_that_is_read_only_at_the_end_is_owed_a_checkpoint(
    tmp_path: Path, host: Callable[..., subprocess.Popen[bytes]]
) -> None:
    run = make_run(tmp_path, **ENDLESS)
    engine = host(run, *without_privileges())
    until_saved(run)
    run.ask(cmd.Pause())
    wait_until(lambda: state_of(run).paused, "the pause")
    protect(run, 0o555)
    run.ask(cmd.Stop())
    assert engine.wait(60) == 1
    ending = recorded(run)[-1]
    assert isinstance(ending, ev.RunFailed)
    assert "Permission denied" in ending.error
    assert ending.cure == "mend its permissions, then resume"
    lock = "import sys, pathlib; from engine.run_folder import RunFolder; RunFolder(pathlib.Path(sys.argv[1])).lock()"
    refused = subprocess.run(
        [*without_privileges(), sys.executable, "-c", lock, str(run.path)], capture_output=True, text=True
    )
    assert refused.stderr.splitlines()[-1].endswith(
        "may not be written (Permission denied): mend its permissions, or choose another with --runs"
    )
    protect(run, 0o755)
    asyncio.run(stop_at(run, ending.step + 40))
    assert state_of(run).step >= ending.step + 40
    assert_every_step_once(recorded(run))


def protect(run: RunFolder, mode: int) -> None:
    """Set permission bits of the run's folders."""
    for folder in (run.checkpoints, run.figures, run.path):
        folder.chmod(mode)


def recorded_so_far(run: RunFolder) -> list[ev.AnyEvent]:
    return list(run.read_events().read_all())


def test_a_folder_that_was_removed_is_made_again(tmp_path: Path, host: Callable[..., subprocess.Popen[bytes]]) -> None:
    run = make_run(tmp_path, **ENDLESS)
    host(run)
    until_saved(run)
    for gone, files in ((run.figures, "*.npz"), (run.checkpoints, "last/state.pt")):
        wait_until(lambda gone=gone, files=files: list(gone.glob(files)), f"something in {gone}")
        gone.rename(tmp_path / f"removed-{gone.name}")
        wait_until(lambda gone=gone, files=files: list(gone.glob(files)), f"something new in {gone}")
        until_saved(run)
    assert not [event for event in recorded_so_far(run) if isinstance(event, ev.RunFailed)]
    load_checkpoint(run.checkpoints / "last")


# -- data ---------------------------------------------------------------------------------------------------------


def table_run(folder: Path) -> tuple[RunFolder, Path]:
    """A run on a table, and its file."""
    data = folder / "data"
    data.mkdir(parents=True)
    file = data / "table.csv"
    rows = random.Random(0)
    points = [(rows.random(), rows.random()) for _ in range(200)]
    file.write_text("".join(f"{x:.3f},{y:.3f},{int(x > y)}\n" for x, y in points))
    over: dict[str, Any] = {"data": {"kind": "csv", "path": "table.csv"}, "task": {"kind": "binary-classification"}}
    return make_run(folder, **over, trainer={"epochs": 60}), file


@pytest.fixture(scope="module")
def table_weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """Weights of the run on the table where nothing happens to it."""
    run, _ = table_run(tmp_path_factory.mktemp("table"))
    asyncio.run(collect(run.config(), run))
    return last_weights(run)


@pytest.mark.parametrize("harm", ["gone", "cut short", "cut within a row", "empty"])
def test_data_that_is_lost_while_a_run_goes_on_is_named_when_it_is_needed_again(
    tmp_path: Path, table_weights: dict[str, torch.Tensor], harm: str
) -> None:
    run, file = table_run(tmp_path)
    whole = file.read_bytes()

    async def lose_data() -> None:
        import engine

        events = engine.run(run.config(), run.path)
        async for event in events:
            if isinstance(event, ev.MetricsLogged) and file.exists() and file.read_bytes() == whole:
                hurt(file, harm)
            if isinstance(event, ev.MetricsLogged) and event.step >= 150:  # it goes on with what it has in memory
                run.ask(cmd.Stop())

    asyncio.run(lose_data())
    assert isinstance(recorded(run)[-1], ev.RunStopped)
    said = train(run)
    assert "\n" not in said
    assert "table.csv" in said, said
    file.write_bytes(whole)
    assert train(run) == ""
    assert same_bits(table_weights, last_weights(run))


def hurt(file: Path, harm: str) -> None:
    whole = file.read_bytes()
    if harm == "gone":
        file.unlink()
    else:
        file.write_bytes(
            {"cut short": whole[: 100 * 14], "cut within a row": whole[: 100 * 14 + 8], "empty": b""}[harm]
        )


# -- clocks -------------------------------------------------------------------------------------------------------


def clock_set(seconds: float, when: Path) -> str:
    """The time of day is set by so much once there is a file `when`."""
    return (
        "import os, time\n"
        "def day(real=time.time):\n"
        f"    return real() + ({seconds} if os.path.exists({str(when)!r}) else 0)\n"
        "time.time = day\n"
    )


def test_a_clock_that_is_set_disturbs_neither_the_run_nor_who_looks(
    tmp_path: Path, host: Callable[..., subprocess.Popen[bytes]]
) -> None:
    run, env, began_s = make_run(tmp_path, **ENDLESS), tmp_path / "env", time.monotonic()
    jumps = {tmp_path / "forward": 86_400.0, tmp_path / "back": -2 * 86_400.0}
    host(run, env=altered(env, *(clock_set(seconds, when) for when, seconds in jumps.items())))
    until_saved(run)
    before, off_s = state_of(run), 0.0
    for when, seconds in jumps.items():
        when.touch()
        off_s += seconds
        until_saved(run, 3)
        assert abs(recorded_so_far(run)[-1].at - time.time() - off_s) < 3600, "the clock was not set"
        after, took_s = state_of(run), time.monotonic() - began_s
        for set_to in (0.0, -off_s, off_s):  # the viewer's clock may be the one that was set
            assert status_of(run, after, now=time.time() + set_to) == "running"
        assert before.elapsed_s < after.elapsed_s < took_s
        assert after.steps_per_s > 0
        assert after.eta_s is not None and after.eta_s > 0
        for series in after.series.values():
            assert list(series.steps) == sorted(series.steps)
            assert list(series.elapsed_s) == sorted(series.elapsed_s)
        before = after
    run.ask(cmd.Stop())
    wait_until(lambda: run.holder() is None, "the engine's end")
    assert_every_step_once(recorded(run))
    assert status_of(run, state_of(run)) == "stopped"


@pytest.mark.parametrize("off_s", [-86_400.0, 86_400.0])
def test_a_run_that_no_engine_came_for_is_not_starting_for_a_day(tmp_path: Path, off_s: float) -> None:
    run = make_run(tmp_path)
    assert status_of(run, RunState()) == "starting"
    assert status_of(run, RunState(), now=time.time() + off_s) == "died"
